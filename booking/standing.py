"""What stands in a practice from day to day: resources, block-offs, closures, rules, types, questions, its PIMS.

It is read once per change, not once per answer: each process keeps it under the practice's `standing_version`, which
the database renames with every change (migrations 0011, 0013 and 0017). What was kept under an older name is never
asked for again.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from uuid import UUID

from msgspec import Struct

import availability
from booking.db import appointment_types, connections, practices, questions, schedule
from booking.db.appointment_types import AppointmentType
from booking.db.connections import Writes
from booking.db.pool import Connection
from booking.db.questions import Question
from booking.db.schedule import Resource, Rule, Version

MOST_KEPT = 2000

_kept: OrderedDict[UUID, Standing] = OrderedDict()


class Standing(Struct, frozen=True, kw_only=True):
    """All of it, active ones only. `columns`: the resources as the engine knows them, with nothing taken.

    `writes`: what the practice's PIMS takes from us; None: there is none.
    """

    types: list[AppointmentType]
    questions: list[Question]
    resources: list[Resource]
    columns: tuple[availability.Resource, ...]
    closures: tuple[availability.Closure, ...]
    rules: tuple[availability.Rule, ...]
    writes: Writes | None = None


async def standing(conn: Connection, practice_id: UUID) -> Standing:
    """Return what stands in the practice at this moment."""
    return await standing_at(conn, practice_id, await schedule.version(conn, practice_id))


async def standing_at(conn: Connection, practice_id: UUID, version: Version) -> Standing:
    """Return what stands in the practice under the version that it has at this moment."""
    found = _kept.get(version.standing)
    if found is not None:
        _kept.move_to_end(version.standing)
        return found
    found = await _read(conn, practice_id)
    # What was read is as new as its name or newer; if newer, it has another name by now, and nobody asks for this one.
    _kept[version.standing] = found
    if len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return found


async def _read(conn: Connection, practice_id: UUID) -> Standing:
    resources = await schedule.resources(conn, practice_id)
    closed: defaultdict[UUID, list[availability.Recurring]] = defaultdict(list)
    for block_off in await schedule.block_offs(conn, practice_id):
        closed[block_off.resource_id].append(block_off.time)
    known = {one.resource_id for one in resources}
    return Standing(
        types=await appointment_types.appointment_types(conn, practice_id),
        questions=await questions.questions(conn, practice_id),
        resources=resources,
        columns=tuple(_column(one, closed[one.resource_id]) for one in resources),
        closures=tuple(
            availability.Closure(first=one.first, last=one.last)
            for one in await practices.all_closures(conn, practice_id)
        ),
        rules=tuple(_rule(one, known) for one in await schedule.rules(conn, practice_id)),
        writes=await connections.writes_of(conn, practice_id),
    )


def _column(one: Resource, closed: list[availability.Recurring]) -> availability.Resource:
    return availability.Resource(
        id=str(one.resource_id),
        person=one.person,
        capacity=one.capacity,
        hours=one.hours,
        overrides=one.overrides,
        block_offs=tuple(closed),
    )


def _rule(rule: Rule, known: set[UUID]) -> availability.Rule:
    """Return a rule as the engine knows it; a resource that is no longer active has nothing to be ruled on."""
    return availability.Rule(
        name=rule.name,
        effect=rule.effect,
        when=rule.when,
        appointment_types=None if rule.appointment_types is None else tuple(map(str, rule.appointment_types)),
        resources=None if rule.resources is None else tuple(str(one) for one in rule.resources if one in known),
        release=rule.release,
    )
