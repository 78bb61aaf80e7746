"""What went wrong, said so that a person can act on it.

::

    UserError                shown to people as it is
    ├── InvalidRequest       one problem per refused field
    ├── NotFound             absent, or somebody else's: the two must look the same
    ├── Conflict             the job is no longer in a state that allows this
    ├── QuotaReached         the person has too many jobs waiting
    ├── ModelUnavailable     no weights, or weights that cannot be read
    └── CannotStart          the app itself cannot run here (port, database, second instance)
"""

from collections.abc import Iterable

from wan22_app.domain.values import Value


class Problem(Value):
    """One thing that is wrong: what happened, likely cause, cure, evidence.

    ``field`` names the form field it belongs to, empty for a problem of the whole.
    ``code`` is stable and lower-case, for tests, translations and programs.
    """

    code: str
    what: str
    cause: str = ""
    cure: str = ""
    evidence: str = ""
    field: str = ""

    def sentence(self) -> str:
        """What, why and cure in one line; the evidence stays apart."""
        return " ".join(part for part in (self.what, self.cause, self.cure) if part)


class UserError(Exception):
    """An error whose text is meant for the person who caused or suffers it."""

    def __init__(self, *problems: Problem):
        super().__init__(" ".join(problem.sentence() for problem in problems))
        self.problems = problems

    @property
    def problem(self) -> Problem:
        """The first problem, which is the only one outside form validation."""
        return self.problems[0]


class Unwritable(UserError):
    """The database takes nothing now: its disk is full or forbids it. Later may be better."""


class InvalidRequest(UserError):
    """Carries one problem for each refused field."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "InvalidRequest":
        """Build from any iterable of problems."""
        return cls(*problems)


class NotFound(UserError):
    """Absent, or owned by somebody else: a stranger must not learn which."""


class Conflict(UserError):
    """The wish came too late or does not fit the job's state."""


class QuotaReached(UserError):
    """The person has as many jobs waiting as the settings allow."""


class ModelUnavailable(UserError):
    """The chosen model has no usable weights on this machine."""


class CannotStart(UserError):
    """The app cannot start or go on here until somebody mends something."""
