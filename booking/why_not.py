"""Why not: what stands in the way of a start that is not offered, in plain words, for staff."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from availability import Fact, Span, explain
from booking import spoken
from booking.db import schedule
from booking.db.holds import Wish
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.local_days import day_start, in_zone, local_date
from booking.offers import wished_types
from booking.slot_problem import FOR_OFFERS, slot_problem


class Obstacle(Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing in the way, in a sentence; `kind` is the engine's word for it."""

    kind: str
    words: str
    resource_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None


class WhyNot(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a start can be booked. If not: up to three lists of what would have to differ, the shortest first."""

    start: datetime
    bookable: bool
    as_of: datetime | None
    blockers: list[list[Obstacle]]


async def why_not(pool: Pool, practice: Practice, wish: Wish, start: datetime, *, now: datetime) -> WhyNot:
    """Explain one start. Raises `NotBookableOnline` where the wish itself goes beyond what is offered."""
    zone = practice.timezone
    day = local_date(start, zone)
    # What is read must reach as far as the start lies, and the whole of its day.
    window = Span(start=day_start(day, zone), end=day_start(day + timedelta(days=1), zone))
    async with of_practice(pool, practice.practice_id) as conn:
        types = await wished_types(conn, practice, wish)
        posed = await slot_problem(conn, practice, types, wish, window, now=now)
        problem, freshness = posed.problem, posed.freshness
        resources = await schedule.resources(conn, practice.practice_id)
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(FOR_OFFERS, lambda: explain(problem, start))
    names = {str(one.resource_id): one.name for one in resources}
    told = Telling(names=names, timezone=zone, stale=freshness.stale, notice=problem.visits[0].notice)
    return WhyNot(
        start=start,
        bookable=found.bookable,
        as_of=freshness.as_of,
        blockers=[[told.obstacle(fact) for fact in facts] for facts in found.blockers],
    )


class Telling(Struct, frozen=True, kw_only=True):
    """What it takes to say a fact in words: who is who, and the practice's clock."""

    names: dict[str, str]
    timezone: str
    stale: bool
    notice: timedelta

    def obstacle(self, fact: Fact) -> Obstacle:
        """Return a fact of the engine as a sentence."""
        return Obstacle(
            kind=fact.kind,
            words=self.words(fact),
            resource_id=None if fact.resource is None else UUID(fact.resource),
            start=fact.start,
            end=fact.end,
        )

    def words(self, fact: Fact) -> str:  # noqa: PLR0911 - a sentence a kind
        """Return the sentence."""
        who = self.names.get(fact.resource or "", "Somebody who is needed")
        match fact.kind:
            case "grid":
                return "Visits of this type do not start at this time of day."
            case "notice" if self.stale:
                return "The schedule was not heard of for too long, so near times are only asked for."
            case "notice":
                return f"It is too soon: this takes {spoken.length(self.notice)} notice."
            case "horizon":
                return "It is too far ahead: this cannot be booked yet."
            case "closure":
                return "The practice is closed that day."
            case "practice_hours":
                return "The practice is not open for the whole of the visit."
            case "hours":
                return f"{who} does not work for the whole of the visit."
            case "block_off":
                return f"{who} is blocked off{self._when(fact)}."
            case "busy":
                return f"{who} is taken{self._when(fact)}."
            case "rule":
                return f"The rule “{fact.rule}” forbids it{'' if fact.resource is None else f' for {who}'}."
            case "cap":
                return "As many as may be booked on that day are booked already."
            case "commitment":
                return "Something else that is sure to happen would find no place any more."
            case "capacity":
                return f"{who} cannot serve more at once."

    def _when(self, fact: Fact) -> str:
        if fact.start is None or fact.end is None:
            return ""
        begins, ends = in_zone(fact.start, self.timezone), in_zone(fact.end, self.timezone)
        return f" from {spoken.clock(begins)} to {spoken.clock(ends)}"
