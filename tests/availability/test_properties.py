"""Properties of the engine, tried on problems that Hypothesis makes up; the oracle is the judge."""

from __future__ import annotations

from hypothesis import given

from availability import Slot, SlotProblem, solve
from tests.availability import oracle
from tests.availability.strategies import examples, problems


def starts(problem: SlotProblem) -> list[object]:
    return [slot.start for slot in solve(problem).slots]


def each_visit(slot: Slot) -> list[dict[str, list[str]]]:
    return slot.resources if isinstance(slot.resources, list) else [slot.resources]


def as_sets(assignments: list[dict[str, list[str]]]) -> list[dict[str, frozenset[str]]]:
    return [{role: frozenset(resources) for role, resources in each.items()} for each in assignments]


@examples(400)
@given(problems())
def test_the_engine_offers_exactly_the_oracles_starts(problem: SlotProblem) -> None:
    assert starts(problem) == oracle.bookable_starts(problem)
