"""The slot problem: the practice's schedule around a window, and one client's wish put into it.

Offer, hold and booking all build it here, with one SELECT a table, so that what is offered can be booked.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec
from msgspec import Struct

from availability import (
    Answer,
    Assignment,
    Need,
    Resource,
    Rule,
    Slot,
    SlotProblem,
    Span,
    Step,
    Visit,
    solve,
)
from booking.db import schedule
from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.laid_out import kept, kept_or_made
from booking.local_days import day_start, local_date
from booking.standing import Standing, standing_at

NOTHING = timedelta()
HOUR = timedelta(hours=1)
NO_PREFERENCE: Assignment = {}
# Few threads, since more only take turns with each other and with whoever answers requests; and a claim, which holds a
# day's lock while it waits, never stands in line behind offers.
FOR_OFFERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="offers")
FOR_CLAIMS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="claims")


class Freshness(Struct, frozen=True, kw_only=True):
    """How old our mirror of the PIMS is. `stale`: older than the practice allows for near times."""

    as_of: datetime | None
    stale: bool


async def freshness_of(conn: Connection, practice: Practice, now: datetime) -> Freshness:
    """Say how far the mirror can be trusted; a practice without a PIMS is always fresh."""
    return freshness_at(practice, await schedule.version(conn, practice.practice_id), now)


def freshness_at(practice: Practice, version: schedule.Version, now: datetime) -> Freshness:
    """Say how far the mirror can be trusted that has this version."""
    if not version.connected:
        return Freshness(as_of=now, stale=False)
    as_of = version.as_of
    return Freshness(as_of=as_of, stale=as_of is None or now - as_of > practice.freshness_limit)


class Posed(Struct, frozen=True, kw_only=True):
    """A slot problem, which schedule it rests on, how fresh that is, and what of it is taken."""

    problem: SlotProblem
    stands: Standing
    version: schedule.Version
    freshness: Freshness
    taken: schedule.Taken


async def slot_problem(
    conn: Connection,
    practice: Practice,
    types: tuple[AppointmentType, ...],
    wish: Wish,
    window: Span,
    *,
    now: datetime,
    own: tuple[UUID, ...] = (),
    prefer: Assignment = NO_PREFERENCE,
    lasting: timedelta = NOTHING,
    version: schedule.Version | None = None,
) -> Posed:
    """Read the schedule around a window and put the wish into it; `types`: the wished type for each patient.

    `own`: a hold, or appointments, of the asker; what they take counts as free. Resources in `prefer` are listed first,
    which makes the engine choose them where several assignments work. What lies beyond the window is not read, so the
    problem's horizon ends with it. `lasting`: for how long after `now` what can be booked is to stay bookable, if
    nobody else comes. `version`: the schedule's, where the caller has just read it.
    """
    practice_id, zone = practice.practice_id, practice.timezone
    appointment_type = types[0]
    around = total_length(types) + appointment_type.buffer_before + appointment_type.buffer_after
    start, end = window.start - around, window.end + around
    if version is None:
        version, taken = await schedule.version_and_taken(conn, practice_id, start, end, now=now, own=own)
    else:
        taken = await schedule.taken(conn, practice_id, start, end, now=now, own=own)
    stands = await standing_at(conn, practice_id, version)
    booked_on = []
    if appointment_type.max_per_day is not None:
        booked_on = await schedule.booked_on(
            conn,
            practice_id,
            appointment_type.appointment_type_id,
            day_start(local_date(window.start, zone), zone),
            day_start(local_date(window.end, zone) + timedelta(days=1), zone),
            timezone=zone,
            now=now,
            own=own,
        )
    freshness = freshness_at(practice, version, now + lasting)
    ahead = max(window.end - now, NOTHING)
    visits = tuple(
        Visit(
            appointment_type=str(one.appointment_type_id),
            steps=_steps(one, stands.resources, wish, prefer),
            grid=one.grid,
            # Between the pets of one owner nothing is kept free.
            buffer_before=one.buffer_before if number == 0 else NOTHING,
            buffer_after=one.buffer_after if number == len(types) - 1 else NOTHING,
            notice=_notice(one, practice, wish, freshness) + lasting,
            horizon=ahead if wish.by_staff else min(one.horizon, ahead),
            max_per_day=one.max_per_day,
            booked_on={day.day: day.appointments for day in booked_on},
        )
        for number, one in enumerate(types)
    )
    concerned = _concerned(stands, types)
    problem = SlotProblem(
        timezone=zone,
        now=now,
        window=window,
        closures=stands.closures,
        hours=practice.hours or None,
        resources=_resources(stands, concerned, taken),
        rules=tuple(_rule_on(one, concerned) for one in stands.rules),
        visits=visits,
        arrangement="back_to_back",
        same_roles=tuple({need.role: None for step in appointment_type.steps for need in step.needs}),
    )
    return Posed(problem=problem, stands=stands, version=version, freshness=freshness, taken=taken)


def _notice(one: AppointmentType, practice: Practice, wish: Wish, freshness: Freshness) -> timedelta:
    """Return how long before a visit it is booked at the latest; staff see the practice themselves."""
    if wish.by_staff:
        return NOTHING
    return max(one.notice, practice.stale_notice) if freshness.stale else one.notice


def total_length(types: tuple[AppointmentType, ...]) -> timedelta:
    """Return how long the visits of one booking take, one after the other."""
    return sum((one.length for one in types), NOTHING)


def _steps(
    appointment_type: AppointmentType, resources: list[schedule.Resource], wish: Wish, prefer: Assignment
) -> tuple[Step, ...]:
    return tuple(
        Step(
            duration=step.duration,
            needs=tuple(
                Need(
                    role=need.role,
                    any_of=candidates(need.role, resources, wish.provider_id, prefer),
                    count=need.count,
                )
                for need in step.needs
            ),
        )
        for step in appointment_type.steps
    )


def candidates(
    role: str, resources: list[schedule.Resource], provider_id: UUID | None, prefer: Assignment
) -> tuple[str, ...]:
    """Return who can serve a role: the preferred first; of the providers only the one wished for, if one is."""
    able = [one for one in resources if role in one.roles]
    if provider_id is not None and any(one.kind == "provider" for one in able):
        able = [one for one in able if one.resource_id == provider_id]
    preferred = prefer.get(role, [])
    return tuple(sorted((str(one.resource_id) for one in able), key=lambda id_: id_ not in preferred))


def _concerned(stands: Standing, types: tuple[AppointmentType, ...]) -> set[str]:
    """Return the resources that could serve, and those whose time is theirs: most of a practice is not asked."""
    roles = {need.role for one in types for step in one.steps for need in step.needs}
    could = [one for one in stands.resources if roles.intersection(one.roles)]
    people = {one.person for one in could if one.person is not None}
    return {str(one.resource_id) for one in could} | {
        str(one.resource_id) for one in stands.resources if one.person in people
    }


def _resources(stands: Standing, concerned: set[str], taken: schedule.Taken) -> tuple[Resource, ...]:
    return tuple(
        msgspec.structs.replace(column, busy=taken.busy[one.resource_id]) if one.resource_id in taken.busy else column
        for one, column in zip(stands.resources, stands.columns, strict=True)
        if column.id in concerned
    )


def _rule_on(rule: Rule, concerned: set[str]) -> Rule:
    """Return what a rule says of those resources."""
    if rule.resources is None:
        return rule
    return msgspec.structs.replace(rule, resources=tuple(one for one in rule.resources if one in concerned))


async def answer_of(posed: Posed, engine: ThreadPoolExecutor = FOR_OFFERS) -> Answer:
    """Let the engine answer in a thread, so that a hard problem keeps nobody else waiting.

    A single visit within an hour is none: that takes a millisecond, and going to a thread and back takes as long.
    """
    problem, name = posed.problem, posed.version.standing
    if problem.window.end - problem.window.start <= HOUR:
        layout = kept(name)
        if len(problem.visits) == 1 and not problem.commitments:
            return solve(problem, layout=layout)
    else:
        layout = await kept_or_made(name, posed.stands, problem, engine)
    return await asyncio.get_running_loop().run_in_executor(engine, partial(solve, problem, layout=layout))


def serving(slot: Slot) -> Assignment:
    """Return the resources of a slot: of several visits the first one's, which serve the others as well."""
    return slot.resources[0] if isinstance(slot.resources, list) else slot.resources
