"""What the web process does besides pages: one instance, one dispatcher, live updates."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import reflex as rx

from wan22_app.adapters.locks import Attachment, ensure_dispatcher, single_web
from wan22_app.bootstrap import prepare, services
from wan22_app.domain.errors import UserError
from wan22_app.settings import Settings
from wan22_app.web.live import Broadcaster, Tailer
from wan22_app.web.pages import FOLLOWERS

log = logging.getLogger(__name__)

ENSURE_EVERY_S = 2.0
RELOAD_PATIENCE_S = 8.0
"""A hot reload gives the old process two seconds to end; be generous."""


def lifespan(app: rx.App) -> Callable[[], contextlib.AbstractAsyncContextManager[None]]:
    """The lifespan task of this app; runs in the worker process only."""

    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                settings = await asyncio.to_thread(_prepare, stack)
            except UserError as error:
                _give_up(error)
            tailer = Tailer(services(), Broadcaster(app, FOLLOWERS))
            tasks = [asyncio.create_task(_keep(settings)), asyncio.create_task(tailer.run())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return serve


def _prepare(stack: contextlib.ExitStack) -> Settings:
    """Take the web's lock, migrate, attach: in this order, for a second app must change nothing."""
    settings = services().settings
    stack.enter_context(single_web(settings.locks, RELOAD_PATIENCE_S))
    prepare(settings)
    stack.enter_context(Attachment(settings.locks))
    return settings


def _give_up(error: UserError) -> NoReturn:
    """Reflex would serve pages without us: end instead, with the reason as the last words."""
    sys.stderr.write(f"\n{error.problem.sentence()}\n")
    sys.stderr.flush()
    os._exit(1)


async def _keep(settings: Settings) -> None:
    """See to it that a dispatcher runs."""
    while True:
        try:
            await asyncio.to_thread(ensure_dispatcher, settings.locks, settings.logs)
        except OSError:
            log.exception("no dispatcher could be started")
        await asyncio.sleep(ENSURE_EVERY_S)
