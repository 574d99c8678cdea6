"""The set-up of a practice as a whole: what checks and the lint look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from availability import Closure, Grid, Need, Recurring, Resource, Rule, SlotProblem, Span, Step, Visit
from booking.db.configuration import (
    BlockOffSettings,
    ClosureSettings,
    Item,
    Kind,
    PracticeSettings,
    QuestionSettings,
    ResourceSettings,
    RuleSettings,
    Settings,
    TypeSettings,
    items,
)
from booking.db.pool import Connection

S = TypeVar("S", bound=Settings)


class SetUp(Struct, frozen=True, kw_only=True):
    """All of a practice's set-up that is in use, by id. `mirrored`: the ids of what a PIMS knows."""

    practice: PracticeSettings
    types: dict[UUID, TypeSettings]
    resources: dict[UUID, ResourceSettings]
    rules: dict[UUID, RuleSettings]
    closures: dict[UUID, ClosureSettings]
    block_offs: dict[UUID, BlockOffSettings]
    questions: dict[UUID, QuestionSettings]
    mirrored: frozenset[UUID]
    has_pims: bool


async def set_up_of(conn: Connection, practice_id: UUID) -> SetUp:
    """Read the whole set-up, with one statement a table."""
    found: dict[Kind, list[Item]] = {
        kind: await items(conn, practice_id, kind)
        for kind in ("practice", "appointment_type", "resource", "rule", "closure", "block_off", "question")
    }
    (practice,) = found["practice"]
    return SetUp(
        practice=_of(PracticeSettings, [practice])[practice_id],
        types=_of(TypeSettings, found["appointment_type"]),
        resources=_of(ResourceSettings, found["resource"]),
        rules=_of(RuleSettings, found["rule"]),
        closures=_of(ClosureSettings, found["closure"]),
        block_offs=_of(BlockOffSettings, found["block_off"]),
        questions=_of(QuestionSettings, found["question"]),
        mirrored=frozenset(one.id for of_kind in found.values() for one in of_kind if one.pims_id is not None),
        has_pims=practice.pims_id is not None,
    )


def _of(type_: type[S], found: list[Item]) -> dict[UUID, S]:
    return {one.id: one.settings for one in found if isinstance(one.settings, type_)}


ANY_VISIT = Visit(
    appointment_type="any",
    steps=(Step(duration=timedelta(minutes=1), needs=(Need(role="anybody", any_of=()),)),),
    grid=Grid(every=timedelta(days=1)),
)


def empty_schedule(set_up: SetUp, window: Span, visit: Visit = ANY_VISIT, *, ruled: bool = True) -> SlotProblem:
    """Return the slot problem of a schedule on which nothing is booked and no day closed: what the set-up allows."""
    block_offs: dict[UUID, list[Recurring]] = {}
    for one in set_up.block_offs.values():
        block_offs.setdefault(one.resource_id, []).append(one.time)
    return SlotProblem(
        timezone=set_up.practice.timezone,
        now=window.start,
        window=window,
        hours=set_up.practice.hours or None,
        resources=tuple(
            engine_resource(id_, one, tuple(block_offs.get(id_, ()))) for id_, one in set_up.resources.items()
        ),
        rules=tuple(engine_rule(one, set_up) for one in set_up.rules.values()) if ruled else (),
        visits=(visit,),
    )


def engine_resource(id_: UUID, one: ResourceSettings, block_offs: tuple[Recurring, ...] = ()) -> Resource:
    """Return a resource as the engine knows it."""
    return Resource(
        id=str(id_),
        person=one.person,
        capacity=one.capacity,
        hours=one.hours,
        overrides=one.overrides,
        block_offs=block_offs,
    )


def engine_rule(one: RuleSettings, set_up: SetUp) -> Rule:
    """Return a rule as the engine knows it, without the resources that are not in use any more."""
    return Rule(
        name=one.name,
        effect=one.effect,
        when=one.when,
        appointment_types=None if one.appointment_types is None else tuple(map(str, one.appointment_types)),
        resources=None
        if one.resources is None
        else tuple(str(id_) for id_ in one.resources if id_ in set_up.resources),
        release=one.release,
    )


def engine_closure(one: ClosureSettings) -> Closure:
    """Return a closure as the engine knows it."""
    return Closure(first=one.first, last=one.last)


def engine_visit(id_: UUID, one: TypeSettings, set_up: SetUp, *, grid: Grid | None = None) -> Visit:
    """Return a type as the engine knows it, whoever has the roles serving; `grid` in place of its own."""
    return Visit(
        appointment_type=str(id_),
        steps=tuple(
            Step(
                duration=step.duration,
                needs=tuple(
                    Need(
                        role=need.role,
                        count=need.count,
                        any_of=tuple(str(key) for key, each in set_up.resources.items() if need.role in each.roles),
                    )
                    for need in step.needs
                ),
            )
            for step in one.steps
        ),
        grid=grid or one.grid,
        buffer_before=one.buffer_before,
        buffer_after=one.buffer_after,
        notice=one.notice,
        horizon=one.horizon,
        max_per_day=one.max_per_day,
    )


def a_day_from(now: datetime) -> Span:
    """Return the shortest window that lays a schedule out."""
    return Span(start=now, end=now + timedelta(days=1))
