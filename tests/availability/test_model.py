"""Each constraint of the CP-SAT model by itself, and what is told when its effort runs out."""

from __future__ import annotations

from availability import SlotProblem, prepare, solve
from availability.bits import Minutes
from availability.board import Board
from availability.commitments import Placing, movable
from availability.gates import Gates
from availability.model import Item, Verdict, find_places
from availability.plan import plan_of_visits
from tests.availability.monday import (
    DAY,
    change,
    exam,
    floating,
    local,
    need,
    question,
    resource,
    room,
    span,
    starts,
    step,
)


def placed(problem: SlotProblem, start: str = "09:00", effort: float = 1.0) -> list[Placing] | Verdict:
    """The problem's visits at one start, and all of its commitments, as CP-SAT alone places them."""
    masks = prepare(problem)
    calendar = masks.calendar
    board = Board(masks, problem.now, 0, calendar.size)
    at_start: Minutes = 1 << calendar.minute_at(local(start))
    plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
    movables = [movable(each, masks) for each in problem.commitments]
    items = [Item(each.plan, each.starts_on(board), None) for each in movables]
    return find_places(board, [Item(plan, at_start, Gates(masks, problem)), *items], effort)


def is_possible(problem: SlotProblem, start: str = "09:00") -> bool:
    return placed(problem, start) is not Verdict.IMPOSSIBLE


def test_a_resource_serves_only_where_it_fits() -> None:
    two = question(resource("a", busy=(span("09:00", "10:00"),)), resource("b"), visit=exam(step(30, need("a", "b"))))
    found = placed(two)
    assert not isinstance(found, Verdict)
    assert found[0].choice == (("b",),)
    assert not is_possible(two, "12:00")


def test_every_seat_is_filled_by_as_many_as_it_needs() -> None:
    pair = exam(step(30, need("a", "b", "c", count=2)))
    found = placed(question(resource("a"), resource("b", busy=(span("09:00", "10:00"),)), resource("c"), visit=pair))
    assert not isinstance(found, Verdict)
    assert found[0].choice == (("a", "c"),)
    assert not is_possible(
        question(resource("a"), resource("b"), visit=exam(step(30, need("a", "b", count=2)))), "12:00"
    )


def test_nobody_serves_two_seats_at_once() -> None:
    both = exam(step(30, need("a"), need("a", role="technician")))
    assert not is_possible(question(resource("a"), visit=both))
    assert is_possible(question(resource("a", capacity=2), visit=both))


def test_nobody_serves_a_visit_and_a_commitment_at_once() -> None:
    fixed = floating("surgery", "09:00", "09:00", step(30, need("a")))
    assert not is_possible(question(resource("a"), visit=exam(step(30, need("a"))), commitments=(fixed,)))
    assert is_possible(question(resource("a", capacity=2), visit=exam(step(30, need("a"))), commitments=(fixed,)))


def test_two_columns_of_one_person_are_one_person() -> None:
    both = exam(step(30, need("a"), need("b", role="technician")))
    assert not is_possible(question(resource("a", person="lee"), resource("b", person="lee"), visit=both))
    roomy = question(resource("a", person="lee", capacity=2), resource("b", person="lee", capacity=2), visit=both)
    assert is_possible(roomy)


def test_while_the_smaller_of_two_columns_serves_its_capacity_counts() -> None:
    both = exam(step(30, need("a"), need("b", role="technician")))
    assert not is_possible(question(resource("a", person="lee", capacity=3), resource("b", person="lee"), visit=both))


def test_what_is_booked_beyond_the_capacity_stops_nobody_elsewhere() -> None:
    twice = (span("11:00", "11:30"), span("11:00", "11:30"), span("11:00", "11:30"))
    assert is_possible(question(resource("a", capacity=2, busy=twice), visit=exam(step(30, need("a")))))


def test_a_cap_counts_every_first_need_that_a_resource_serves() -> None:
    def two(most: int) -> SlotProblem:
        visit = exam(step(30, need("a")), max_per_resource_day=most)
        return question(resource("a", booked_on={DAY: 1}), visits=(visit, visit))

    assert not is_possible(two(2))
    assert is_possible(two(3))


def test_what_the_effort_does_not_suffice_for_is_undecided() -> None:
    assert placed(question(resource("a"), visit=exam(step(30, need("a")))), effort=0) is Verdict.UNDECIDED


def test_undecided_starts_are_left_out_and_told() -> None:
    """Two pools that hang together through commitments which greed places wrongly: only the solver can tell."""
    problem = question(
        resource("a"),
        resource("b"),
        visit=exam(step(30, need("a"))),
        commitments=(
            floating("one", "09:00", "11:00", step(60, need("a", "b"))),
            floating("two", "09:00", "10:30", step(90, need("a", "b"))),
            floating("three", "09:00", "11:00", step(60, need("a", "b"))),
        ),
    )
    full, short = solve(problem), solve(problem, effort=0)
    assert {slot.start for slot in short.slots} <= {slot.start for slot in full.slots}
    missing = {slot.start for slot in full.slots} - {slot.start for slot in short.slots}
    assert all(any(f"{start:%Y-%m-%dT%H:%MZ}" in warning for warning in short.warnings) for start in missing)
    assert starts(problem)


def test_a_commitment_that_cannot_be_decided_keeps_its_day_free() -> None:
    """Neither a yes nor a no: what it could touch is not offered, and the answer says why."""
    crowd = tuple(floating(f"c{n}", "09:00", "11:00", step(60, need("a", "b"))) for n in range(7))
    problem = question(resource("a"), resource("b"), room("c"), visit=exam(step(30, need("a"))), commitments=crowd)
    short = solve(problem, effort=0)
    assert short.slots == []
    assert any("could not be decided" in warning for warning in short.warnings)
    elsewhere = change(problem, visits=(exam(step(30, need("c"))),))
    assert solve(elsewhere, effort=0).slots
