"""Live slot changes by server-sent events: a page that shows times hears when they may have changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import msgspec
from litestar import Router, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.response import ServerSentEvent, ServerSentEventMessage
from msgspec import Struct

from booking.api.given import OF_PRACTICE, HttpRequest, ThePool, ThePractice, caller
from booking.api.limits import limited
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.live import ScheduleWatch, TooManyStreams

COME_AGAIN = timedelta(seconds=5)
LONGEST_ID = 18


class Schedule(Struct, frozen=True, kw_only=True, rename="camel"):
    """The practice's schedule changed: what was offered under an earlier version may be out of date."""

    version: int


async def _watch(state: State, pool: ThePool) -> ScheduleWatch:
    """Return what the streams of this process share."""
    if "schedule_watch" not in state:
        state.schedule_watch = ScheduleWatch(pool)
    watch: ScheduleWatch = state.schedule_watch
    return watch


@get(
    "/practices/{slug:str}/slots/live",
    guards=[limited("slots-live", times=60, per=timedelta(minutes=1))],
    dependencies={"watch": Provide(_watch)},
    responses=declared(NotFound, TooManyStreams),
)
async def live(practice: ThePractice, watch: NamedDependency[ScheduleWatch], request: HttpRequest) -> ServerSentEvent:
    """Stream an event `schedule` with `{"version": …}` now and whenever the schedule changes, for ten minutes.

    The event's id is the version: a browser that comes again says which one it knows, and hears nothing until it
    rises.
    """
    address = caller(request)
    watch.refuse_too_many(address)
    known = request.headers.get("last-event-id", "")
    seen = int(known) if known.isascii() and known.isdigit() and len(known) <= LONGEST_ID else None
    return ServerSentEvent(_events(watch.changes(practice.practice_id, address, seen=seen)))


async def _events(changes: AsyncGenerator[int | None, None]) -> AsyncGenerator[ServerSentEventMessage, None]:
    yield ServerSentEventMessage(data=None, retry=int(COME_AGAIN / timedelta(milliseconds=1)))
    # Closed with this one, however it ends: a page that went away must not count as watching.
    async with aclosing(changes):
        async for version in changes:
            if version is None:
                yield ServerSentEventMessage(data=None, comment="still here")
            else:
                data = msgspec.json.encode(Schedule(version=version))
                yield ServerSentEventMessage(data=data, event="schedule", id=version)


router = Router("/", route_handlers=[live], dependencies=OF_PRACTICE, tags=["slots"])
