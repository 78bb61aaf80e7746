"""The queue page of one tab: its filter, the story that is open, and what is done to the order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.account import Person
from wan22_app.domain.errors import UserError
from wan22_app.domain.job import FINAL_STATES, Job, JobEvent, JobState
from wan22_app.web import words
from wan22_app.web.live import Follower, LiveState
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.views import JobView, clock_time, job_view

ROUTE = "/queue"
PAGE = 20
MOST = 500
NO_VIDEO = {"video_url": "", "poster_url": "", "download_url": ""}
STATES: dict[str, frozenset[JobState]] = {
    "all": FINAL_STATES,
    **{str(state): frozenset({state}) for state in FINAL_STATES},
}


@dataclass(frozen=True)
class StoryLine:
    """What happened when; a problem with its cause, cure and evidence where there was one."""

    at: str = ""
    text: str = ""
    what: str = ""
    cause: str = ""
    cure: str = ""
    evidence: str = ""


def story_line(event: JobEvent) -> StoryLine:
    """A line of a story as the page shows it."""
    problem = event.problem
    if problem is None:
        return StoryLine(clock_time(event.at), event.text)
    return StoryLine(
        clock_time(event.at),
        event.text,
        problem.what,
        problem.cause,
        problem.cure,
        problem.evidence,
    )


def ended_views(person: Person, jobs: Sequence[Job]) -> list[JobView]:
    """Ended jobs, each with what more can be done with it; some have no video, or none any more."""
    app = services()
    kept = app.gallery.existing(person, [job.id for job in jobs])
    views = [
        (
            job,
            job_view(
                job,
                chances=app.retrying.chances(job),
                keepable=app.drafts.preview(job) is not None,
            ),
        )
        for job in jobs
    ]
    return [view if job.id in kept else replace(view, **NO_VIDEO) for job, view in views]


class QueueState(Follower, rx.State):
    """Lists of one tab; they follow the database while the page is open."""

    kind: str = "all"
    ended: list[JobView] = []
    more: bool = False
    opened: str = ""
    story: list[StoryLine] = []
    looked: bool = False
    _count: int = PAGE
    _grabbed: str = ""

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Start at the newest, with nothing open."""
        self._count, self.opened, self.story = PAGE, "", []
        await self._read()

    async def _catch_up(self) -> None:
        """Something has ended, was removed or moved."""
        if self.router.url.path.rstrip("/") == ROUTE:
            await self._read()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_kind(self, kind: str | list[str]) -> None:
        """Show only what ended in one way."""
        if str(kind) in STATES:
            self.kind, self._count = str(kind), PAGE
            await self._read()

    @rx.event
    @policy(Policy.PERSON)
    async def show_more(self) -> None:
        """Older ones, too."""
        self._count = min(self._count + PAGE, MOST)
        await self._read()

    @rx.event
    @policy(Policy.PERSON)
    async def toggle_story(self, job_id: str) -> None:
        """Open a job's story, or close it."""
        self.opened = "" if self.opened == job_id else str(job_id)
        await self._read_story()

    @rx.event
    @policy(Policy.PERSON)
    async def move(self, job_id: str, where: str) -> Any:
        """To the front, one up or one down among one's own waiting jobs."""
        order = [job.id for job in await self._waiting()]
        if job_id not in order:
            return None
        position = order.index(job_id)
        targets = {"first": 0, "up": position - 1, "down": position + 2}
        if str(where) not in targets:
            return None
        target = max(targets[str(where)], 0)
        before = order[target] if target < len(order) else None
        return await self._do(lambda who: services().queue.move(who, job_id, before))

    @rx.event
    @policy(Policy.PERSON)
    def grab(self, job_id: str) -> None:
        """A waiting job is being dragged."""
        self._grabbed = str(job_id)[:64]

    @rx.event
    @policy(Policy.PERSON)
    async def drop_on(self, job_id: str) -> Any:
        """The dragged job takes the place of the one it was dropped on."""
        grabbed, self._grabbed = self._grabbed, ""
        order = [job.id for job in await self._waiting()]
        if grabbed not in order or job_id not in order or grabbed == job_id:
            return None
        # Dragged downwards it goes behind the other one, upwards before it.
        place = order.index(job_id) + (order.index(grabbed) < order.index(job_id))
        before = order[place] if place < len(order) else None
        return await self._do(lambda who: services().queue.move(who, grabbed, before))

    @rx.event
    @policy(Policy.PERSON)
    async def pause(self, job_id: str) -> Any:
        """Hold a waiting job back."""
        return await self._do(
            lambda who: services().queue.pause(who, str(job_id), paused=True), words.PAUSED
        )

    @rx.event
    @policy(Policy.PERSON)
    async def resume(self, job_id: str) -> Any:
        """Let a paused job go on."""
        return await self._do(
            lambda who: services().queue.pause(who, str(job_id), paused=False), words.RESUMED
        )

    @rx.event
    @policy(Policy.PERSON)
    async def pause_queue(self) -> Any:
        """Start nothing new."""
        return await self._do(lambda who: services().queue.pause_all(who, paused=True))

    @rx.event
    @policy(Policy.PERSON)
    async def resume_queue(self) -> Any:
        """Start again."""
        return await self._do(lambda who: services().queue.pause_all(who, paused=False))

    async def _waiting(self) -> list[JobView]:
        active = await asyncio.to_thread(services().queue.active, person_of(self), MOST)
        return [job_view(job) for job in active if job.state is JobState.QUEUED]

    async def _do(self, action: Any, done: str = "") -> Any:
        person: Person = person_of(self)
        try:
            await asyncio.to_thread(action, person)
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        return [LiveState.load, *([rx.toast.success(done)] if done else [])]

    async def _read(self) -> None:
        person = person_of(self)
        jobs = await asyncio.to_thread(
            services().queue.ended, person, STATES[self.kind], None, self._count + 1
        )
        views = await asyncio.to_thread(ended_views, person, jobs[: self._count])
        if views != self.ended:
            self.ended = views
        if (more := len(jobs) > self._count < MOST) != self.more:
            self.more = more
        self.looked = True
        await self._read_story()

    async def _read_story(self) -> None:
        events = []
        if self.opened:
            try:
                events = await asyncio.to_thread(
                    services().queue.story, person_of(self), self.opened
                )
            except UserError:
                self.opened = ""
        lines = [story_line(event) for event in events]
        if lines != self.story:
            self.story = lines
