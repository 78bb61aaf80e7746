"""The form's switches: what is allowed, and how its jobs are queued."""

import reflex as rx

from wan22_app.web.security import Policy, policy


class Switches(rx.State, mixin=True):
    """The part of the form's state that is on or off."""

    may_reduce: str = "False"
    drafts: str = "False"
    first: bool = False

    @rx.event
    @policy(Policy.PERSON)
    async def allow_less(self, allowed: bool) -> None:
        """Agree to a lighter video where memory runs out, or take it back."""
        self.may_reduce = str(allowed is True)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def ask_drafts(self, wanted: bool) -> None:
        """Stop each job after a share of its steps, to be kept or discarded."""
        self.drafts = str(wanted is True)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    def put_first(self, first: bool) -> None:
        """The jobs go before one's own other waiting jobs."""
        self.first = first is True

    async def _judge(self) -> None:
        raise NotImplementedError
