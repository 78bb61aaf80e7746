"""What a look at the machine found."""

from typing import Literal

from wan22_app.domain.values import Value


class Check(Value):
    """One line of the doctor's report: what is there, and what to do about what is not.

    ``level`` is ``ok``, ``note`` (works, could be better) or ``bad`` (something will not work).
    """

    name: str
    level: Literal["ok", "note", "bad"]
    what: str
    cure: str = ""
