"""What a fact's removal means, as another problem; and the smallest sets of facts, by trying every set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

import msgspec

from availability.answer import Fact
from availability.problem import Grid, Recurring, Resource, SlotProblem
from availability.spans import Busy
from tests.availability import oracle

DAY = timedelta(days=1)
EVERY_MINUTE = Grid(every=timedelta(minutes=1))
AGES = timedelta(days=50 * 365)
PLENTY = 10**6


def without(problem: SlotProblem, facts: Sequence[Fact], start: datetime) -> SlotProblem:
    """The problem, near this start, in which these facts do not stand."""
    for fact in facts:
        problem = _without(problem, fact, start)
    return problem


def _without(problem: SlotProblem, fact: Fact, start: datetime) -> SlotProblem:  # noqa: C901, PLR0911 - one case a kind
    def of_resource(**changes: object) -> SlotProblem:
        resources = tuple(
            msgspec.structs.replace(r, **changes) if r.id == fact.resource else r for r in problem.resources
        )
        return msgspec.structs.replace(problem, resources=resources)

    def of_first_visit(**changes: object) -> SlotProblem:
        first, *others = problem.visits
        return msgspec.structs.replace(problem, visits=(msgspec.structs.replace(first, **changes), *others))

    by_id = {resource.id: resource for resource in problem.resources}
    visit = problem.visits[0]
    match fact.kind:
        case "grid" if fact.resource is None:
            return of_first_visit(grid=EVERY_MINUTE)
        case "grid":
            assert fact.resource is not None
            return of_first_visit(grid_for={**visit.grid_for, fact.resource: EVERY_MINUTE})
        case "notice":
            return of_first_visit(notice=-AGES)
        case "horizon":
            return of_first_visit(horizon=None)
        case "closure":
            kept = tuple(closure for closure in problem.closures if closure.first != fact.date)
            return msgspec.structs.replace(problem, closures=kept)
        case "practice_hours":
            return msgspec.structs.replace(problem, hours=None)
        case "hours":
            return of_resource(hours=None, overrides=())
        case "block_off":
            return of_resource(block_offs=tuple(_other_block_offs(problem, by_id[str(fact.resource)], fact, start)))
        case "busy":
            spans = list(by_id[str(fact.resource)].busy)
            spans.remove(next(each for each in spans if (each.start, each.end) == (fact.start, fact.end)))
            return of_resource(busy=Busy.of(spans))
        case "rule":
            rules = tuple(rule for rule in problem.rules if rule.name != fact.rule)
            return msgspec.structs.replace(problem, rules=rules)
        case "cap" if fact.resource is None:
            visits = tuple(msgspec.structs.replace(each, max_per_day=None) for each in problem.visits)
            return msgspec.structs.replace(problem, visits=visits)
        case "cap":
            assert fact.date is not None
            return of_resource(booked_on={fact.date: -PLENTY})
        case "commitment":
            kept_commitments = tuple(each for each in problem.commitments if each.id != fact.commitment)
            return msgspec.structs.replace(problem, commitments=kept_commitments)
        case "capacity":
            return of_resource(capacity=PLENTY)


def _other_block_offs(problem: SlotProblem, resource: Resource, fact: Fact, near: datetime) -> Iterator[Recurring]:
    """All its block-offs near the start, one by one, but one that is the fact."""
    gone = False
    for each, start, end in block_offs_near(problem, resource, near):
        if not gone and (start, end) == (fact.start, fact.end):
            gone = True
        else:
            yield each
    assert gone


def block_offs_near(
    problem: SlotProblem, resource: Resource, start: datetime
) -> Iterator[tuple[Recurring, datetime, datetime]]:
    """Each occurrence as recurring time that happens once, and the instants, widened to minutes, at which it lies."""
    zone = ZoneInfo(problem.timezone)
    wall = start.astimezone(zone).replace(tzinfo=None)
    for recurring in resource.block_offs:
        for begin in oracle.beginnings(recurring, zone, wall - recurring.duration - 3 * DAY, wall + 3 * DAY):
            once = Recurring(starts=begin, duration=recurring.duration)
            first = oracle.floor_minute(oracle.wall_to_instant(begin, zone))
            last = oracle.ceil_minute(oracle.wall_to_instant(begin + recurring.duration, zone))
            if first < last:
                yield once, oracle.instant_of(first), oracle.instant_of(last)


def facts_near(problem: SlotProblem, start: datetime) -> list[Fact]:
    """Everything that could stand in the way of this start, in the contract's terms."""
    near = DAY / 3
    day = start.astimezone(ZoneInfo(problem.timezone)).date()
    facts = [Fact(kind="grid"), Fact(kind="notice"), Fact(kind="horizon"), Fact(kind="practice_hours")]
    facts += [Fact(kind="grid", resource=resource) for resource in problem.visits[0].grid_for]
    facts += [Fact(kind="closure", date=closure.first) for closure in problem.closures]
    facts += [Fact(kind="rule", rule=rule.name) for rule in problem.rules]
    facts += [Fact(kind="commitment", commitment=commitment.id) for commitment in problem.commitments]
    if any(visit.max_per_day is not None for visit in problem.visits):
        facts.append(Fact(kind="cap", date=day))
    for resource in problem.resources:
        facts.append(Fact(kind="hours", resource=resource.id, date=day))
        if any(visit.max_per_resource_day is not None for visit in problem.visits):
            facts.append(Fact(kind="cap", resource=resource.id, date=day))
        facts += [
            Fact(kind="busy", resource=resource.id, start=each.start, end=each.end)
            for each in resource.busy
            if start - near < each.end and each.start < start + near
        ]
        facts += [
            Fact(kind="block_off", resource=resource.id, start=first, end=last)
            for _, first, last in block_offs_near(problem, resource, start)
            if start - near < last and first < start + near
        ]
    return facts


def opens(problem: SlotProblem, facts: Sequence[Fact], start: datetime) -> bool:
    """Whether the start can be booked once these facts are gone."""
    return oracle.is_bookable(without(problem, facts, start), start)


def smallest_sets(problem: SlotProblem, start: datetime, most: int) -> list[list[Fact]]:
    """All sets of the smallest size, up to `most` facts, whose removal opens the start; by trying every set."""
    facts = facts_near(problem, start)
    for size in range(most + 1):
        found = [list(each) for each in combinations(facts, size) if opens(problem, each, start)]
        if found:
            return found
    return []
