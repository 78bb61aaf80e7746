"""The list of LoRAs on the form."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components.fields import labelled
from wan22_app.web.layout import icon_button
from wan22_app.web.state.form import FormState
from wan22_app.web.state.lora_list import LoraRow


def lora_field() -> rx.Component:
    """Those that are chosen, each with its strength, and one more out of the folder."""
    return labelled(
        "loras",
        words.LORAS,
        rx.box(
            rx.cond(
                FormState.lora_rows.length() > 0,
                rx.el.ul(
                    rx.foreach(FormState.lora_rows, _row), class_name="wan-rows", id="lora-rows"
                ),
            ),
            rx.select.root(
                rx.select.trigger(
                    id="loras", width="100%", aria_label=words.LORA_ADD, placeholder=words.LORA_ADD
                ),
                rx.select.content(
                    rx.foreach(FormState.lora_offers, lambda name: rx.select.item(name, value=name))
                ),
                # Always empty again: choosing adds to the list above.
                value="",
                on_change=FormState.add_lora,
                disabled=FormState.lora_offers.length() == 0,
            ),
            rx.cond(
                FormState.lora_offers.length() == 0,
                rx.el.div(words.LORA_NONE_HERE, class_name="wan-hint"),
            ),
        ),
    )


def _row(row: rx.Var[LoraRow], index: rx.Var[int]) -> rx.Component:
    """A chosen LoRA."""
    return rx.el.li(
        rx.el.div(
            rx.el.div(row.name, class_name="wan-clip", title=row.name),
            rx.cond(
                FormState.part_asked | row.partly,
                rx.el.label(
                    rx.hstack(
                        rx.checkbox(
                            checked=row.partly,
                            on_change=lambda allowed: FormState.allow_part(index, allowed),
                        ),
                        rx.text(words.LORA_PARTLY, size="2", as_="span"),
                        align="center",
                        min_height="40px",
                    ),
                ),
            ),
            class_name="wan-grow",
        ),
        rx.input(
            value=row.strength,
            on_change=lambda strength: FormState.strengthen(index, strength),
            aria_label=words.LORA_STRENGTH + ": " + row.name,
            input_mode="decimal",
            auto_complete=False,
            width="72px",
            flex="none",
        ),
        icon_button("x", words.LORA_REMOVE + ": " + row.name, on_click=FormState.drop_lora(index)),
        class_name="wan-row",
    )
