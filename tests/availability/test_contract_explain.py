"""Section 5 of the contract: why a start is not offered."""

from __future__ import annotations

from datetime import datetime

import pytest

from availability import Fact, SlotProblem, explain
from availability.problem import Closure, Grid
from availability.spans import Span
from tests.availability.monday import (
    DAY,
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
    room,
    rule,
    span,
    step,
)
from tests.availability.relief import opens, smallest_sets


def why(problem: SlotProblem, at: str) -> list[list[Fact]]:
    """The engine's sets, each of which the oracle finds to open the start, the first of them a smallest."""
    start = local(at)
    explained = explain(problem, start)
    assert not explained.bookable
    assert explained.blockers
    assert all(opens(problem, facts, start) for facts in explained.blockers)
    assert all(
        not opens(problem, facts[:n] + facts[n + 1 :], start) for facts in explained.blockers for n in range(len(facts))
    )
    assert len(explained.blockers[0]) == len(smallest_sets(problem, start, 3)[0])
    return explained.blockers


def busy(start: str, end: str, identifier: str = "dr-lee") -> Fact:
    return Fact(kind="busy", resource=identifier, start=local(start), end=local(end))


def test_a_start_that_is_offered_is_bookable_and_has_no_blockers() -> None:
    explained = explain(question(), local("09:00"))
    assert explained.bookable
    assert explained.blockers == []


def test_a_start_outside_the_window_is_explained_like_any_other() -> None:
    problem = question(window=span("09:00", "10:00"))
    assert explain(problem, local("11:00")).bookable
    assert [fact.kind for fact in why(problem, "12:00")[0]] == ["hours"]


TAKEN = question(resource(busy=(span("10:00", "10:30"),)))
CLOSED = (Closure(first=DAY, last=DAY),)
CASES: dict[str, tuple[SlotProblem, str, list[Fact]]] = {
    "grid": (question(), "09:10", [Fact(kind="grid")]),
    "grid of a resource": (
        question(visit=exam(grid_for={"dr-lee": Grid(starts=("09:00",))})),
        "09:30",
        [Fact(kind="grid", resource="dr-lee")],
    ),
    "notice": (question(visit=exam(notice=hours(22))), "09:00", [Fact(kind="notice")]),
    "the past": (question(now=local("10:00")), "09:00", [Fact(kind="notice")]),
    "horizon": (question(visit=exam(horizon=hours(22))), "10:30", [Fact(kind="horizon")]),
    "closure": (question(closures=CLOSED), "09:00", [Fact(kind="closure", date=DAY)]),
    "practice hours": (question(hours=(once("10:00", "12:00"),)), "09:00", [Fact(kind="practice_hours")]),
    "hours": (question(), "13:00", [Fact(kind="hours", resource="dr-lee", date=DAY)]),
    "block-off": (
        question(resource(block_offs=(once("10:00", "10:30"),))),
        "10:00",
        [Fact(kind="block_off", resource="dr-lee", start=local("10:00"), end=local("10:30"))],
    ),
    "busy": (TAKEN, "10:00", [busy("10:00", "10:30")]),
    "rule that denies": (
        question(rules=(rule("deny", name="no exams"),)),
        "10:00",
        [Fact(kind="rule", rule="no exams")],
    ),
    "rule that reserves": (
        question(rules=(rule("reserve", name="surgery only", appointment_types=("surgery",)),)),
        "10:00",
        [Fact(kind="rule", rule="surgery only")],
    ),
    "cap": (question(visit=exam(max_per_day=2, booked_on={DAY: 2})), "09:00", [Fact(kind="cap", date=DAY)]),
    "cap of a resource": (
        question(resource(booked_on={DAY: 2}), visit=exam(max_per_resource_day=2)),
        "09:00",
        [Fact(kind="cap", resource="dr-lee", date=DAY)],
    ),
    "commitment": (
        question(commitments=(floating("lunch", "10:00", "10:00"),)),
        "10:00",
        [Fact(kind="commitment", commitment="lunch")],
    ),
    "capacity": (
        question(visits=(exam(), exam()), arrangement="together"),
        "10:00",
        [Fact(kind="capacity", resource="dr-lee")],
    ),
}


@pytest.mark.parametrize(("problem", "at", "facts"), CASES.values(), ids=CASES.keys())
def test_one_fact_that_stands_in_the_way_is_named_with_what_it_is_about(
    problem: SlotProblem, at: str, facts: list[Fact]
) -> None:
    start = local(at)
    explained = explain(problem, start)
    assert not explained.bookable
    assert explained.blockers[0] == facts
    assert opens(problem, facts, start)


def test_a_busy_span_of_a_persons_other_column_is_named_with_that_column() -> None:
    columns = resource("here", person="lee"), resource("there", person="lee", busy=(span("10:00", "10:30"),))
    assert why(question(*columns, visit=exam(step(30, need("here")))), "10:00") == [[busy("10:00", "10:30", "there")]]


def test_a_set_holds_everything_that_must_go_together() -> None:
    problem = question(resource(busy=(span("10:00", "10:10"), span("10:20", "10:30"))), hours=(once("09:00", "10:00"),))
    (facts,) = why(problem, "10:00")
    assert sorted(fact.kind for fact in facts) == ["busy", "busy", "practice_hours"]


def test_each_set_is_another_way_out() -> None:
    taken = resource("dr-lee", busy=(span("10:00", "10:30"),)), resource("dr-kim", busy=(span("10:15", "10:45"),))
    blockers = why(question(*taken, visit=exam(step(30, need("dr-lee", "dr-kim")))), "10:00")
    assert sorted(blockers, key=str) == sorted([[busy("10:00", "10:30")], [busy("10:15", "10:45", "dr-kim")]], key=str)


def test_sets_come_fewest_facts_first() -> None:
    lee = resource("dr-lee", busy=(span("10:00", "10:10"), span("10:10", "10:20")))
    kim = resource("dr-kim", busy=(span("10:15", "10:45"),))
    blockers = why(question(lee, kim, visit=exam(step(30, need("dr-lee", "dr-kim")))), "10:00")
    assert [len(facts) for facts in blockers] == [1, 2]
    assert blockers[0] == [busy("10:15", "10:45", "dr-kim")]


def test_three_sets_are_told_at_most() -> None:
    names = [f"dr-{n}" for n in range(5)]
    taken = [resource(name, busy=(span("10:00", "10:30"),)) for name in names]
    blockers = why(question(*taken, visit=exam(step(30, need(*names)))), "10:00")
    assert len(blockers) == 3
    assert len({facts[0].resource for facts in blockers}) == 3


def test_of_a_full_resource_with_capacity_one_span_must_go() -> None:
    double = (span("10:00", "10:30"), span("10:10", "10:40"))
    blockers = why(question(resource(capacity=2, busy=double)), "10:00")
    assert sorted(str(facts) for facts in blockers) == sorted(
        [str([busy("10:00", "10:30")]), str([busy("10:10", "10:40")])]
    )


def test_of_a_resource_booked_beyond_its_capacity_more_than_one_span_must_go() -> None:
    assert {len(facts) for facts in why(question(resource(busy=(span("10:00", "10:30"),) * 2)), "10:00")} == {2}


def test_what_blocks_a_buffer_is_named() -> None:
    problem = question(resource(busy=(span("09:50", "10:00"),)), visit=exam(buffer_before=minutes(10)))
    assert why(problem, "10:00") == [[busy("09:50", "10:00")]]


def test_hours_do_not_block_a_buffer() -> None:
    assert explain(question(visit=exam(buffer_before=minutes(30))), local("09:00")).bookable


def test_a_commitment_or_what_keeps_it_from_elsewhere_may_go() -> None:
    lunch = floating("lunch", "10:00", "10:30")
    blockers = why(question(resource(busy=(span("10:30", "11:00"),)), commitments=(lunch,)), "10:00")
    assert sorted(facts[0].kind for facts in blockers) == ["busy", "commitment"]


def test_a_start_that_nothing_can_open_has_no_sets() -> None:
    nobody = question(resource(), visit=exam(step(30, need("dr-lee", count=2))))
    explained = explain(nobody, local("09:00"))
    assert not explained.bookable
    assert explained.blockers == []


def test_on_a_shared_instant_the_latest_step_counts_too() -> None:
    nurse = resource("nurse", busy=(span("10:10", "10:20"),))
    visit = exam(step(10), step(20, need("nurse", role="technician")))
    assert why(question(resource(), nurse, visit=visit), "10:00") == [[busy("10:10", "10:20", "nurse")]]


def test_an_explanation_is_the_same_each_time() -> None:
    taken = [resource(f"dr-{n}", busy=(span("10:00", "10:30"),)) for n in range(5)]
    problem = question(*taken, visit=exam(step(30, need(*(f"dr-{n}" for n in range(5))))))
    assert explain(problem, local("10:00")) == explain(problem, local("10:00"))


def test_an_instant_of_another_offset_is_the_same_start() -> None:
    start = datetime.fromisoformat("2026-03-02T16:00:00+01:00")
    assert explain(TAKEN, start) == explain(TAKEN, local("10:00"))


def test_a_start_long_before_the_window_is_explained() -> None:
    far = change(question(), window=Span(start=local("2026-06-01T00:00"), end=local("2026-06-02T00:00")))
    assert [fact.kind for fact in why(far, "2026-02-20T09:00")[0]] == ["notice"]


def test_a_room_that_is_missing_is_named_beside_the_doctor() -> None:
    visit = exam(step(30, need("dr-lee"), need("room", role="room")))
    problem = question(TAKEN.resources[0], room(busy=(span("10:00", "10:15"),)), visit=visit)
    (facts,) = why(problem, "10:00")
    assert sorted(str(fact.resource) for fact in facts) == ["dr-lee", "room"]
