"""From a prompt to a playing video."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import plots
from wan22_app.web.components.drafts import undecided
from wan22_app.web.components.form import form
from wan22_app.web.components.stage import last_results, stage
from wan22_app.web.layout import frame, title

SHORTCUT = """
document.addEventListener('keydown', function (event) {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    var button = document.getElementById('generate');
    if (button && !button.disabled) { button.click(); }
  }
});
"""


def page() -> rx.Component:
    """Form on the left, stage on the right; one column on a phone."""
    return frame(
        "/",
        title(words.GENERATION),
        plots.blocked(),
        rx.el.div(
            form(),
            rx.el.section(
                stage(),
                undecided(),
                last_results(),
                class_name="wan-stagecol",
                aria_label=words.VIDEO_LABEL,
            ),
            class_name="wan-columns",
        ),
        rx.script(SHORTCUT),
    )
