"""The counter below the prompt."""

from dataclasses import dataclass

from wan22_app.bootstrap import services
from wan22_app.domain.account import Person
from wan22_app.domain.errors import UserError
from wan22_app.web import words


@dataclass(frozen=True)
class Counted:
    """What the counter says, and whether that is more than the model reads."""

    text: str = ""
    over: bool = False


def counted(person: Person, model: str, prompt: str) -> Counted:
    """Measure a prompt with the chosen model; blank while no model is chosen."""
    try:
        length = services().enhancement.length(person, model, prompt)
    except UserError:
        return Counted()
    text = words.COUNTED[length.unit].format(used=length.used, limit=length.limit)
    return Counted(text, length.too_long)
