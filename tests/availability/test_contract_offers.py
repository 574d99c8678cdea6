"""Section 4 of the contract: scores, witnesses that destroy least, and the policies."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given

from availability import Slot, SlotProblem, solve
from availability.problem import Grid, OfferPolicy, Protected, Visit
from tests.availability import oracle
from tests.availability.monday import (
    answer,
    change,
    exam,
    floating,
    hours,
    local,
    minutes,
    need,
    once,
    question,
    resource,
    span,
    starts,
    step,
    the_slot,
)
from tests.availability.strategies import examples, problems

LONG = exam(step(60), appointment_type="surgery")


def protecting(*resources: Any, visit: Visit = LONG, weight: int = 1, **changes: Any) -> SlotProblem:  # noqa: ANN401 - of question
    return question(*resources, protect=(Protected(visit=visit, weight=weight),), **changes)


def scores(problem: SlotProblem) -> dict[str, int]:
    """By local time; the oracle finds the same lowest scores, and that each witness has its slot's score."""
    slots = answer(problem).slots
    for slot in slots:
        assert slot.score == oracle.best_score(problem, slot.start)
        assert slot.score == oracle.score_of(problem, slot.start, of_visits(slot))
    return dict(zip(starts(problem), [slot.score for slot in slots], strict=True))


def of_visits(slot: Slot) -> list[dict[str, list[str]]]:
    return slot.resources if isinstance(slot.resources, list) else [slot.resources]


def best(problem: SlotProblem, at_least: int = 6) -> list[str]:
    zone_starts = solve(change(problem, offer=OfferPolicy(policy="best", at_least=at_least))).slots
    everything = {slot.start: slot for slot in solve(problem).slots}
    assert all(everything[slot.start] == slot for slot in zone_starts)
    names = dict(zip(everything, starts(problem), strict=True))
    return [names[slot.start] for slot in zone_starts]


def test_a_score_counts_the_protected_starts_that_would_be_lost() -> None:
    """From 9 to 12, an hour can start at five half hours; half an hour at the edge costs one of them, others two."""
    assert scores(protecting()) == {"09:00": 1, "09:30": 2, "10:00": 2, "10:30": 2, "11:00": 2, "11:30": 1}


def test_zero_destroys_nothing() -> None:
    problem = protecting(resource(busy=(span("09:30", "10:00"),)))
    assert scores(problem)["09:00"] == 0


def test_a_score_is_weighted() -> None:
    assert scores(protecting(weight=3))["10:00"] == 6


def test_a_score_adds_up_over_protected_visits() -> None:
    both = (Protected(visit=LONG), Protected(visit=exam(step(90), appointment_type="dental"), weight=10))
    assert scores(question(protect=both))["09:00"] == 1 + 10


def test_a_score_counts_the_whole_local_day_also_outside_the_window() -> None:
    narrow = protecting(window=span("09:00", "09:30"), visit=exam(step(180), grid=Grid(every=minutes(60))))
    assert scores(narrow) == {"09:00": 1}
    assert scores(protecting(window=span("11:30", "12:00"))) == {"11:30": 1}


def test_a_score_counts_no_other_day() -> None:
    night = resource(hours=(once("22:00", "2026-03-03T02:00"),))
    problem = protecting(
        night, visit=exam(step(30), grid=Grid(starts=("00:00", "23:30"))), window=span("23:00", "2026-03-03T00:00")
    )
    assert scores(problem) == {"23:00": 0, "23:30": 1}
    across = exam(step(30), buffer_after=minutes(30))
    assert scores(change(problem, visits=(across,)))["23:30"] == 1


def test_a_score_looks_at_buffers_too() -> None:
    problem = protecting(visit=exam(step(30), grid=Grid(every=minutes(30))))
    buffered = exam(buffer_after=minutes(30), appointment_type="messy")
    assert scores(change(problem, visits=(buffered,)))["09:00"] == 2


def test_a_score_is_that_of_the_best_way_to_book() -> None:
    """Dr. Kim is of no use to the protected visit."""
    either = exam(step(30, need("dr-lee", "dr-kim")))
    problem = protecting(resource(), resource("dr-kim", hours=(once("09:00", "10:30"),)), visits=(either,))
    assert scores(problem) == {"09:00": 0, "09:30": 0, "10:00": 0, "10:30": 2, "11:00": 2, "11:30": 1}
    assert the_slot(problem, "09:00").resources == {"veterinarian": ["dr-kim"]}


def test_among_equals_the_witness_is_the_resource_listed_first() -> None:
    either = exam(step(30, need("dr-kim", "dr-lee")))
    rooms = resource("dr-kim"), resource("dr-lee")
    problem = protecting(*rooms, visit=exam(step(60, need("dr-kim", "dr-lee"))), visits=(either,))
    assert scores(problem)["10:00"] == 0
    assert the_slot(problem, "10:00").resources == {"veterinarian": ["dr-kim"]}


def test_a_gap_that_nothing_protected_fits_is_filled_first() -> None:
    either = exam(step(30, need("dr-lee", "dr-kim")))
    kim = resource("dr-kim", busy=(span("09:00", "10:00"), span("10:30", "12:00")))
    problem = protecting(resource(), kim, visit=exam(step(60, need("dr-lee", "dr-kim"))), visits=(either,))
    assert the_slot(problem, "10:00").resources == {"veterinarian": ["dr-kim"]}
    assert scores(problem)["10:00"] == 0


def test_a_score_counts_what_commitments_then_leave_to_protected_visits() -> None:
    """An hour can start at 9:00, 9:30 or 10:00; at 10:00 only with lunch at 11:00, which 11:30 takes away."""
    problem = protecting(commitments=(floating("lunch", "10:30", "11:00", step(60)),))
    assert scores(problem)["11:30"] == 1


def test_a_booking_that_uses_up_a_cap_destroys_all_that_the_cap_then_forbids() -> None:
    capped = exam(max_per_day=1)
    problem = protecting(visit=capped, visits=(capped,))
    assert scores(problem)["09:00"] == 6


def test_a_booking_that_uses_up_a_resources_cap_destroys_what_that_then_forbids() -> None:
    capped = exam(step(30, need("dr-lee", "dr-kim")), max_per_resource_day=1)
    rooms = resource(), resource("dr-kim", hours=(once("10:00", "11:00"),))
    problem = protecting(*rooms, visit=capped, visits=(capped,))
    assert scores(problem) == {"09:00": 4, "09:30": 4, "10:00": 0, "10:30": 0, "11:00": 4, "11:30": 4}


def test_scores_of_several_visits_count_what_all_of_them_take() -> None:
    assert scores(protecting(visits=(exam(), exam())))["09:00"] == 2


def test_all_is_the_default_and_offers_everything() -> None:
    assert starts(protecting()) == starts(question())


def test_best_keeps_the_better_half_by_score() -> None:
    problem = protecting(resource(hours=(once("08:00", "16:00"),)))
    kept = best(problem, at_least=2)
    assert len(kept) == 8
    assert {"08:00", "15:30"} <= set(kept)
    every = scores(problem)
    assert sum(every[start] for start in kept) <= sum(every.values()) / 2


def test_best_keeps_never_fewer_than_at_least_where_so_many_exist() -> None:
    problem = protecting(resource(hours=(once("08:00", "16:00"),)))
    assert len(best(problem, at_least=12)) == 12
    assert len(best(problem, at_least=99)) == 16
    assert len(best(protecting(), at_least=5)) == 5


def test_best_is_spread_over_morning_and_afternoon() -> None:
    """The whole afternoon is worse than any time of the morning, and yet it is not forgotten."""
    hours_of_day = resource(hours=(once("08:00", "16:00"),))
    afternoon = exam(step(60), grid=Grid(every=minutes(15), offset=minutes(12 * 60)))
    kept = best(protecting(hours_of_day, visit=afternoon), at_least=6)
    assert sum(start < "12:00" for start in kept) >= 3
    assert sum(start >= "12:00" for start in kept) >= 3


def test_best_is_chosen_day_by_day() -> None:
    problem = protecting(window=span("00:00", "2026-03-05T00:00"))
    kept = best(problem, at_least=4)
    assert [sum(start.startswith(day) for start in kept) for day in ("03-03", "03-04")] == [4, 4]
    assert len(kept) == 12


def test_the_rest_remains_reachable_with_all() -> None:
    problem = protecting(resource(hours=(once("08:00", "16:00"),)))
    assert set(best(problem, at_least=2)) < set(starts(problem))


def test_best_of_nothing_is_nothing_and_still_tells_what_is_next() -> None:
    closed = question(window=span("12:00", "13:00"), offer=OfferPolicy(policy="best"))
    assert solve(closed).slots == []
    assert solve(closed).next == local("2026-03-03T09:00")


def test_the_horizon_of_a_protected_visit_is_its_own() -> None:
    near = exam(step(60), horizon=hours(21.5))
    assert scores(protecting(visit=near))["11:30"] == 0


@examples(25)
@given(problems(most_visits=1, most_steps=1, most_resources=3, most_commitments=1, protected=True))
def test_scores_and_witnesses_are_the_oracles(problem: SlotProblem) -> None:
    for slot in solve(problem).slots[:2]:
        assert slot.score == oracle.best_score(problem, slot.start)
        assert slot.score == oracle.score_of(problem, slot.start, of_visits(slot))


@examples(60)
@given(problems(most_visits=2, most_commitments=1, protected=True))
def test_best_is_a_part_of_all_that_is_large_enough(problem: SlotProblem) -> None:
    everything = solve(problem).slots
    kept = solve(change(problem, offer=OfferPolicy(policy="best", at_least=3))).slots
    assert [slot for slot in everything if slot in kept] == kept
    zone = ZoneInfo(problem.timezone)
    for day in {slot.start.astimezone(zone).date() for slot in everything}:
        of_day = [slot for slot in everything if slot.start.astimezone(zone).date() == day]
        kept_of_day = [slot for slot in kept if slot in of_day]
        assert len(kept_of_day) >= max((len(of_day) + 1) // 2, min(3, len(of_day)))
