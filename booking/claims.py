"""Claim: the one function that decides "bookable", for hold and booking alike.

In the caller's transaction it takes the locks of the local days, reads those days again, lets the engine choose the
resources and inserts one row per resource lane. Behind it stands the exclusion constraint `claim_never_overlaps`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from availability import Assignment, Busy, Occupied, Slot, SlotProblem, Span, occupied
from booking.db import claims as claims_db
from booking.db import holds
from booking.db.appointment_types import AppointmentType
from booking.db.claims import Claim, Holder
from booking.db.holds import Wish
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.local_days import day_start, days_touched
from booking.slot_problem import (
    FOR_CLAIMS,
    NO_PREFERENCE,
    NOTHING,
    answer_of,
    serving,
    slot_problem,
    total_length,
)

MINUTE = timedelta(minutes=1)
MOST_REFUSALS = 1000


class Claimed(Struct, frozen=True, kw_only=True, tag="claimed"):
    """The time is taken: `visits`, when each patient is seen. `resources`: role → resource ids, the same for all."""

    visits: tuple[Span, ...]
    resources: Assignment

    @property
    def starts_at(self) -> datetime:
        """When the first visit starts."""
        return self.visits[0].start

    @property
    def ends_at(self) -> datetime:
        """When the last visit ends."""
        return self.visits[-1].end


class NotFree(Struct, frozen=True, kw_only=True, tag="not_free"):
    """The time cannot be booked, or not any more."""


# Of fifty who want one time, most ask what the one before them asked: they are told the same without asking the engine
# again. Only within a second, since notice and horizon move; and only while the same time is taken, since what a hold
# took is free the moment it runs out, and that raises no version.
_Asked: TypeAlias = tuple[str, UUID, int, Wish, datetime, int, frozenset[tuple[UUID, Busy]]]
_refused: OrderedDict[_Asked, None] = OrderedDict()


async def claim(
    conn: Connection,
    practice: Practice,
    types: tuple[AppointmentType, ...],
    wish: Wish,
    start: datetime,
    *,
    now: datetime,
    holders: Sequence[Holder],
    instead_of: holds.Hold | None = None,
    prefer: Assignment = NO_PREFERENCE,
    remember: bool = False,
) -> Claimed | NotFree:
    """Take the time for a hold or for appointments, whose rows the caller inserts in the same transaction.

    `types` and `holders`: for each patient the type as long as it takes for them, and whose their visit is.
    `instead_of`: the same client's hold, whose time counts as free and whose resources are preferred; it ends where
    the claim succeeds. `prefer`: what else is preferred, such as the resources of visits that move. The transaction
    must be open: the locks last until it ends. Where the time is not free, it must be rolled back. `remember`
    refusals, where this transaction has changed nothing yet.
    """
    span_start = start - types[0].buffer_before
    span_end = start + total_length(types) + types[-1].buffer_after
    days = days_touched(span_start, span_end, practice.timezone)
    await claims_db.lock_days(conn, practice.practice_id, days)

    own_hold = instead_of.hold_id if instead_of else None
    window = Span(start=start, end=start + MINUTE)
    posed = await slot_problem(
        conn,
        practice,
        types,
        wish,
        window,
        now=now,
        own=(own_hold,) if own_hold else (),
        prefer=instead_of.resources if instead_of else prefer,
    )
    version, taken = posed.version, frozenset(posed.taken.busy.items())
    asked = (version.database, practice.practice_id, version.schedule, wish, start, int(now.timestamp()), taken)
    if remember and asked in _refused:
        return NotFree()
    answer = await answer_of(posed, FOR_CLAIMS)
    slot = next((slot for slot in answer.slots if slot.start == start), None)
    if slot is None:
        if remember:
            _refused[asked] = None
            if len(_refused) > MOST_REFUSALS:
                _refused.popitem(last=False)
        return NotFree()

    visits = each_visit(posed.problem, slot)
    parts = [(holder, part) for holder, (_, taken) in zip(holders, visits, strict=True) for part in taken]
    if posed.taken.expired:
        first, last = day_start(days[0], practice.timezone), days[-1] + timedelta(days=1)
        await holds.free_expired(conn, practice.practice_id, first, day_start(last, practice.timezone), now)
    shared = {one.id for one in posed.problem.resources if one.capacity > 1}
    look_at = [part.resource for _, part in parts if part.resource in shared]
    claims = await on_free_lanes(conn, practice, parts, look_at, own_hold=own_hold)
    try:
        await claims_db.claim(conn, practice.practice_id, claims, instead_of=own_hold)
    except asyncpg.ExclusionViolationError as violation:
        # Whoever came past the lock has the time: the constraint has the last word.
        if violation.constraint_name != "claim_never_overlaps":
            raise
        return NotFree()
    return Claimed(visits=tuple(span for span, _ in visits), resources=serving(slot))


def each_visit(problem: SlotProblem, slot: Slot) -> list[tuple[Span, list[Occupied]]]:
    """Return when each visit of a slot is, and what it takes of each resource: every visit's claims are its own."""
    visits, start = [], slot.start
    for visit in problem.visits:
        end = start + sum((step.duration for step in visit.steps), NOTHING)
        alone = Slot(start=start, end=end, resources=serving(slot))
        taken = occupied(msgspec.structs.replace(problem, visits=(visit,)), alone)
        visits.append((Span(start=start, end=end), taken))
        start = end
    return visits


async def take(conn: Connection, practice: Practice, parts: list[tuple[Holder, Occupied]]) -> None:
    """Insert claims for these parts of resources' time, on the lowest lanes that are free there.

    The caller holds the locks of the days. Lanes do not end at the capacity here: the engine sees to it that what we
    give stays within, and what a practice double-booked in its PIMS is taken as it stands.
    """
    if parts:
        claims = await on_free_lanes(conn, practice, parts, [part.resource for _, part in parts], own_hold=None)
        await claims_db.insert_claims(conn, practice.practice_id, claims)


async def on_free_lanes(
    conn: Connection,
    practice: Practice,
    parts: list[tuple[Holder, Occupied]],
    look_at: list[str],
    *,
    own_hold: UUID | None,
) -> list[tuple[Holder, Claim]]:
    """Put parts of resources' time on the lowest lanes that are free there.

    `look_at`: the resources of which some may be taken; of the others, none of these parts is. What `own_hold` takes
    counts as free: it ends with this claim.
    """
    already: dict[UUID, list[Claim]] = {UUID(part.resource): [] for _, part in parts}
    if look_at:
        start, end = min(part.start for _, part in parts), max(part.end for _, part in parts)
        for claimed in await claims_db.claimed(
            conn, practice.practice_id, start, end, map(UUID, look_at), own_hold=own_hold
        ):
            already[claimed.resource_id].append(claimed)
    claims: list[tuple[Holder, Claim]] = []
    for holder, part in parts:
        resource_id = UUID(part.resource)
        lanes = free_lanes(resource_id, part.start, part.end, already[resource_id])
        already[resource_id] += lanes
        claims += [(holder, lane) for lane in lanes]
    return claims


def free_lanes(resource_id: UUID, start: datetime, end: datetime, taken: list[Claim]) -> list[Claim]:
    """Cover a span with free lanes, changing lane only where the one in use ends to be free.

    On a resource for two visits at once, one visit may end in lane 1 while another begins in lane 2: a third that
    fits by number then finds no single lane free throughout, but always a free one at each moment.
    """
    claims = []
    while start < end:
        lane, until = 1, start
        while until == start:
            ahead = [span for span in taken if span.lane == lane and span.ends_at > start and span.starts_at < end]
            until = min((max(span.starts_at, start) for span in ahead), default=end)
            lane += until == start
        claims.append(Claim(resource_id=resource_id, lane=lane, starts_at=start, ends_at=until))
        start = until
    return claims
