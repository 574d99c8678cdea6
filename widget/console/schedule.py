"""The schedule page: a day as columns of resources and as a list, with how far each booking has come into the PIMS."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Response, get
from litestar.params import QueryParameter
from litestar.response.redirect import Redirect
from msgspec import Struct

from booking.db.appointments import ScheduleEntry
from booking.db.connections import Connection
from booking.local_days import local_date
from booking.staff_schedule import ScheduleDay, schedule_day
from widget.clock import now as present
from widget.console.columns import sheet_of, style_sheet, style_sheet_address
from widget.console.session import Who
from widget.console.write_back_words import PENDING, WriteBackWords, spoken, write_back_words
from widget.pages import page, see_other
from widget.state import ThePool

REFRESH_SECONDS = 5
SOURCES = {"online": "booked online", "pims": "from the PIMS", "staff": "by staff"}
STATUSES = {"no_show": "no-show", "fulfilled": "done"}


class Line(Struct, frozen=True, kw_only=True):
    """An appointment in the words of the page."""

    entry: ScheduleEntry
    status: str
    source: str
    resources: list[str]
    write_back: WriteBackWords | None


class FreshnessWords(Struct, frozen=True, kw_only=True):
    """How old our picture of the PIMS is, in words."""

    good: bool
    words: str


@get("/schedule")
async def show_schedule(
    who: Who, pool: ThePool, day: Annotated[str, QueryParameter(max_length=20)] = ""
) -> Response[str] | Redirect:
    """Show a local day; without one, today."""
    practice, now = who.practice, present()
    today = local_date(now, practice.timezone)
    chosen = _date(day) if day else today
    if chosen is None:
        return see_other("/console/schedule")
    shown = await schedule_day(pool, practice, chosen, now=now)
    lines = {one.appointment_id: _line(one, shown, now) for one in shown.appointments}
    return page(
        "console/schedule.html",
        who=who,
        practice=practice,
        here="schedule",
        day=chosen,
        today=today,
        before=chosen - timedelta(days=1),
        after=chosen + timedelta(days=1),
        shown=shown,
        sheet=sheet_of(shown, practice.timezone, now=now),
        lines=lines,
        holds={one.hold_id: one for one in shown.holds},
        names={one.resource_id: one.name for one in shown.resources},
        # What needs somebody stands first.
        online=sorted(
            (line for line in lines.values() if line.entry.source == "online"),
            key=lambda line: line.entry.write_back != "needs_attention",
        ),
        freshness=freshness_words(shown.connection, practice.freshness_limit, now=now),
        refresh=REFRESH_SECONDS if any(one.write_back in PENDING for one in shown.appointments) else None,
        places=style_sheet_address(),
    )


@get("/places.css")
async def places() -> Response[str]:
    """Answer with the classes that put cards in their places; its address changes with its content."""
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(style_sheet(), media_type="text/css; charset=utf-8", headers=headers)


def freshness_words(connection: Connection | None, limit: timedelta, *, now: datetime) -> FreshnessWords | None:
    """Say how old our picture of the PIMS is and, where it gets no newer, why; None without a PIMS."""
    if connection is None:
        return None
    as_of = "not read yet" if connection.as_of is None else f"as of {spoken(now - connection.as_of)} ago"
    if connection.failure is not None:
        since = f" for {spoken(now - connection.failing_since)}" if connection.failing_since else ""
        return FreshnessWords(good=False, words=f"PIMS {as_of}. It cannot be read{since}: {connection.failure}")
    stale = connection.as_of is None or now - connection.as_of > limit
    return FreshnessWords(good=not stale, words=f"PIMS {as_of}")


def _line(entry: ScheduleEntry, shown: ScheduleDay, now: datetime) -> Line:
    taken: set[UUID] = set(entry.resource_ids)
    return Line(
        entry=entry,
        status=STATUSES.get(entry.status, entry.status),
        source=SOURCES[entry.source],
        resources=[one.name for one in shown.resources if one.resource_id in taken],
        write_back=write_back_words(entry, now=now),
    )


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    # A day has neighbors, and its instants fit whatever the zone.
    return found if date(1900, 1, 1) < found < date(9000, 1, 1) else None
