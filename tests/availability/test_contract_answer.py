"""Section 3 of the contract: the answer."""

from __future__ import annotations

import msgspec

from availability import SlotProblem, solve
from availability.problem import Grid
from availability.spans import Span
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
    room,
    span,
    starts,
    step,
    the_slot,
)

TWO_ROLES = exam(step(30, need("dr-lee"), need("nurse", role="technician")))


def test_slots_are_sorted_by_start_and_each_start_is_there_once() -> None:
    visit = exam(step(30, need("late", "early")), grid=Grid(starts=("11:00", "09:00", "10:00", "09:00")))
    assert starts(question(resource("early"), resource("late"), visit=visit)) == ["09:00", "10:00", "11:00"]


def test_an_end_is_the_end_of_the_last_step_without_buffers() -> None:
    problem = question(visit=exam(step(20), step(25), buffer_after=minutes(10), buffer_before=minutes(10)))
    slot = the_slot(problem, "09:00")
    assert (slot.start, slot.end) == (local("09:00"), local("09:45"))


def test_instants_of_an_answer_are_in_utc() -> None:
    slot = the_slot(question(), "09:00")
    assert msgspec.json.decode(msgspec.json.encode(slot))["start"] == "2026-03-02T14:00:00Z"


def test_resources_name_for_each_role_who_serves_it() -> None:
    assert the_slot(question(resource(), resource("nurse"), visit=TWO_ROLES), "09:00").resources == {
        "veterinarian": ["dr-lee"],
        "technician": ["nurse"],
    }


def test_for_several_visits_resources_are_a_list_with_one_entry_a_visit() -> None:
    slot = the_slot(question(visits=(exam(), exam())), "09:00")
    assert slot.resources == [{"veterinarian": ["dr-lee"]}, {"veterinarian": ["dr-lee"]}]


def test_a_score_is_zero_where_nothing_is_protected() -> None:
    assert {slot.score for slot in answer(question()).slots} == {0}


def test_the_same_problem_has_the_same_answer() -> None:
    lunch = floating("lunch", "10:00", "11:00", step(30, need("a", "b", "c")))
    visit = exam(step(30, need("a", "b", "c", count=2)))
    problem = question(room("a"), room("b"), room("c"), visit=visit, commitments=(lunch,))
    assert len({msgspec.json.encode(solve(problem)) for _ in range(3)}) == 1


def test_the_witness_is_the_resource_listed_first() -> None:
    problem = question(room("a"), room("b"), visit=exam(step(30, need("a", "b"))))
    assert the_slot(problem, "09:00").resources == {"veterinarian": ["a"]}


def test_a_witness_can_be_booked() -> None:
    visit = exam(step(30, need("a", "b")), step(30, need("b", "c")), step(30, need("a", "c", role="x")))
    problem = question(room("a"), room("b"), room("c"), visit=visit, window=span("09:00", "10:00"))
    for slot in answer(problem).slots:
        assert [slot.resources] in list(oracle.ways_to_book(problem, slot.start))


def test_next_is_the_first_start_after_an_empty_window() -> None:
    problem = question(window=span("12:00", "2026-03-03T00:00"))
    assert solve(problem).slots == []
    assert solve(problem).next == local("2026-03-03T09:00")


def test_next_is_empty_where_there_are_slots() -> None:
    assert solve(question()).next is None


def test_next_may_be_the_windows_end() -> None:
    assert solve(question(window=span("08:00", "09:00"))).next == local("09:00")


def test_next_is_within_the_horizon() -> None:
    saturday = change(question(window=span("2026-03-07T00:00", "2026-03-08T00:00")), now=local("2026-03-07T00:00"))
    monday = local("2026-03-09T09:00") - local("2026-03-07T00:00")
    assert solve(change(saturday, visits=(exam(horizon=monday),))).next == local("2026-03-09T09:00")
    assert solve(change(saturday, visits=(exam(horizon=monday - minutes(1)),))).next is None


def test_next_obeys_everything_that_a_start_obeys() -> None:
    lunch = floating("lunch", "2026-03-03T09:00", "2026-03-03T09:30", step(30))
    busy = (span("2026-03-03T10:00", "2026-03-03T12:00"),)
    problem = question(
        resource(busy=busy),
        window=span("12:00", "13:00"),
        commitments=(lunch,),
        visit=exam(step(40), grid=Grid(starts=("09:00", "09:20"))),
    )
    assert solve(problem).slots == []
    assert solve(problem).next == local("2026-03-04T09:00") == oracle.next_start(problem)


def test_next_looks_weeks_ahead() -> None:
    problem = question(
        resource(hours=(once("2026-05-02T09:00", "2026-05-02T10:00"),)), visit=exam(horizon=hours(24 * 90))
    )
    assert solve(problem).next == local("2026-05-02T09:00")


def test_next_is_empty_where_nothing_ever_opens() -> None:
    assert solve(question(resource(hours=()))).next is None


def test_every_start_is_in_the_answer_and_no_other() -> None:
    def fits(minute: int) -> bool:
        return all(not (minute < end and begin < minute + 45) for begin, end in taken) and minute + 45 <= 12 * 60

    taken = [(9 * 60 + 7, 9 * 60 + 20), (10 * 60 + 40, 10 * 60 + 41), (11 * 60 + 30, 11 * 60 + 31)]
    busy = tuple(Span(start=local("00:00") + minutes(a), end=local("00:00") + minutes(b)) for a, b in taken)
    problem: SlotProblem = question(resource(busy=busy), visit=exam(step(45), grid=Grid(every=minutes(1))))
    expected = [f"{m // 60:02}:{m % 60:02}" for m in range(9 * 60, 12 * 60) if fits(m)]
    assert starts(problem) == expected


def test_an_answer_without_trouble_has_no_warnings() -> None:
    assert answer(question()).warnings == []
