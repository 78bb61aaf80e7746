"""What the stage shows, and what can be done with a job."""

import asyncio
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.errors import UserError
from wan22_app.web import words
from wan22_app.web.live import Follower, LiveState
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.views import OutputView, output_view


class StageState(Follower, rx.State):
    """The result that was clicked; blank means: follow the newest job."""

    shown: OutputView = OutputView()

    async def _catch_up(self) -> None:
        """A result that was deleted, in any tab, must not stay as a broken player."""
        if not self.shown.id:
            return
        kept = await asyncio.to_thread(
            services().gallery.existing, person_of(self), [self.shown.id]
        )
        if self.shown.id not in kept:
            self.shown = OutputView()

    @rx.event
    @policy(Policy.PERSON)
    async def show(self, output_id: str) -> None:
        """Play an earlier result."""
        try:
            output = await asyncio.to_thread(
                services().gallery.get, person_of(self), str(output_id)
            )
        except UserError:
            return
        self.shown = output_view(output)

    @rx.event
    @policy(Policy.PERSON)
    async def follow(self) -> Any:
        """Show the newest job again, and see it without waiting for the next round."""
        if self.shown.id:
            self.shown = OutputView()
        return LiveState.load

    @rx.event
    @policy(Policy.PERSON)
    async def cancel(self, job_id: str) -> Any:
        """Ask for the end of a job."""
        return await self._do(services().queue.cancel, job_id, words.SENT_CANCEL)

    @rx.event
    @policy(Policy.PERSON)
    async def remove(self, job_id: str) -> Any:
        """Take an ended job off the list."""
        return await self._do(services().queue.remove, job_id, words.REMOVED)

    @rx.event
    @policy(Policy.PERSON)
    async def retry(self, job_id: str) -> Any:
        """Queue the same request again."""
        return await self._do(services().retrying.again, job_id, words.QUEUED)

    @rx.event
    @policy(Policy.PERSON)
    async def retry_lighter(self, job_id: str) -> Any:
        """Queue it with the change that its failure suggests."""
        return await self._do(services().retrying.again_lighter, job_id, words.QUEUED)

    @rx.event
    @policy(Policy.PERSON)
    async def decode_again(self, job_id: str) -> Any:
        """Queue the decoding alone."""
        return await self._do(services().retrying.decode_again, job_id, words.QUEUED)

    @rx.event
    @policy(Policy.PERSON)
    async def keep_draft(self, job_id: str) -> Any:
        """Queue the rest of a draft's steps."""
        return await self._do(services().drafts.go_on, job_id, words.DRAFT_KEPT)

    @rx.event
    @policy(Policy.PERSON)
    async def discard_draft(self, job_id: str) -> Any:
        """Throw a draft away."""
        return await self._do(services().drafts.discard, job_id, words.DRAFT_DISCARDED)

    @rx.event
    @policy(Policy.PERSON)
    async def free_card(self) -> Any:
        """End a warm engine."""
        try:
            await asyncio.to_thread(services().queue.free_card, person_of(self))
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        return rx.toast.success(words.FREED)

    async def _do(self, action: Any, job_id: str, done: str) -> Any:
        try:
            await asyncio.to_thread(action, person_of(self), str(job_id))
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        return [LiveState.load, rx.toast.success(done)]
