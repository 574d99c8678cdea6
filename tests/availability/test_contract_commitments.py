"""Section 2.5 of the contract: commitments, which must still find their place."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from availability import solve
from availability.problem import Commitment, Grid
from tests.availability.monday import (
    ALL_MORNING,
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
)
from tests.availability.oracle import bookable_starts
from tests.availability.strategies import examples

EITHER = need("dr-lee", "dr-kim")
EXAM_BY_EITHER = exam(step(30, EITHER))


def test_a_commitment_at_a_fixed_time_keeps_one_of_its_resources_free() -> None:
    booked = floating("booked", "10:00", "10:00", step(60, EITHER))
    problem = question(resource(), resource("dr-kim"), visit=exam(), commitments=(booked,))
    assert starts(problem) == ALL_MORNING
    assert starts(change(problem, visits=(exam(step(30, need("dr-lee", "dr-kim", count=2))),))) == [
        "09:00",
        "09:30",
        "11:00",
        "11:30",
    ]


def test_an_appointment_with_any_veterinarian_takes_the_last_one_who_is_free() -> None:
    booked = floating("booked", "10:00", "10:00", step(60, EITHER))
    kim = resource("dr-kim", busy=(span("10:00", "11:00"),))
    assert starts(question(resource(), kim, visit=exam(), commitments=(booked,))) == [
        "09:00",
        "09:30",
        "11:00",
        "11:30",
    ]


def test_a_floating_break_still_finds_its_place() -> None:
    lunch = floating("lunch", "10:00", "11:00", step(30))
    assert starts(question(commitments=(lunch,))) == ALL_MORNING
    busy = resource(busy=(span("10:00", "11:00"),))
    assert starts(question(busy, commitments=(lunch,))) == ["09:00", "09:30", "11:30"]


def test_a_commitment_may_start_at_any_minute_from_its_earliest_to_its_latest() -> None:
    busy = resource(busy=(span("10:00", "10:17"), span("10:47", "12:00")))
    late = floating("late", "10:00", "10:17", step(30))
    assert starts(question(busy, commitments=(late,))) == ["09:00", "09:30"]
    assert answer(question(busy, commitments=(late,))).warnings == []
    assert len(answer(question(busy, commitments=(floating("late", "10:00", "10:16", step(30)),))).warnings) == 1
    early = floating("early", "10:17", "11:00", step(30))
    assert answer(question(busy, commitments=(early,))).warnings == []
    assert len(answer(question(busy, commitments=(floating("early", "10:18", "11:00", step(30)),))).warnings) == 1


def test_a_commitment_that_may_start_between_two_minutes_only_finds_no_place() -> None:
    start = local("10:00") + timedelta(seconds=20)
    never = Commitment(id="never", earliest=start, latest=start + timedelta(seconds=20), steps=(step(30),))
    problem = question(commitments=(never,))
    assert starts(problem) == ALL_MORNING
    assert len(answer(problem).warnings) == 1


def test_a_commitment_needs_open_hours() -> None:
    lunch = floating("lunch", "11:00", "13:00", step(60))
    problem = question(commitments=(lunch,))
    assert starts(problem) == ["09:00", "09:30", "10:00", "10:30"]


def test_a_commitment_needs_practice_hours() -> None:
    lunch = floating("lunch", "09:00", "11:00", step(60))
    problem = question(commitments=(lunch,), hours=(once("10:00", "11:30"),))
    assert starts(problem) == ["10:00", "11:00"]


def test_a_commitment_keeps_off_block_offs() -> None:
    lunch = floating("lunch", "09:00", "11:00", step(60))
    problem = question(resource(block_offs=(once("09:30", "10:30"),)), commitments=(lunch,))
    assert starts(problem) == ["09:00", "10:30", "11:30"]


def test_a_commitment_in_steps_keeps_its_roles() -> None:
    booked = floating("booked", "09:30", "09:30", step(30, EITHER), step(30, EITHER))
    kim = resource("dr-kim", hours=(once("09:30", "10:00"),))
    problem = question(resource(), kim, visit=EXAM_BY_EITHER, commitments=(booked,))
    assert starts(problem) == ["09:00", "09:30", "10:30", "11:00", "11:30"]


def test_a_commitment_may_use_several_resources_in_turn() -> None:
    booked = floating("booked", "09:30", "09:30", step(30, need("nurse", role="technician")), step(30))
    problem = question(resource(), resource("nurse"), visit=exam(step(30)), commitments=(booked,))
    assert starts(problem) == ["09:00", "09:30", "10:30", "11:00", "11:30"]


def test_commitments_fit_beside_one_another() -> None:
    breaks = (floating("one", "10:00", "10:30", step(60)), floating("two", "10:00", "10:30", step(30)))
    assert starts(question(commitments=breaks)) == ["09:00", "09:30", "11:30"]


def test_an_earlier_commitment_moves_for_a_later_one() -> None:
    breaks = (floating("one", "10:00", "10:30", step(30)), floating("two", "10:00", "10:00", step(30)))
    problem = question(commitments=breaks)
    assert answer(problem).warnings == []
    assert starts(problem) == ["09:00", "09:30", "11:00", "11:30"]


def test_a_commitment_that_cannot_be_placed_is_reported_and_otherwise_ignored() -> None:
    impossible = floating("impossible", "10:00", "10:00", step(600))
    problem = question(commitments=(impossible,))
    assert starts(problem) == ALL_MORNING
    (warning,) = answer(problem).warnings
    assert "impossible" in warning


def test_of_two_commitments_that_exclude_one_another_the_first_is_kept() -> None:
    first, second = floating("first", "09:00", "09:00", step(60)), floating("second", "09:30", "09:30", step(60))
    problem = question(commitments=(first, second))
    assert starts(problem) == ["10:00", "10:30", "11:00", "11:30"]
    (warning,) = answer(problem).warnings
    assert "second" in warning
    turned = question(commitments=(second, first))
    assert starts(turned) == ["09:00", "10:30", "11:00", "11:30"]
    (warning,) = answer(turned).warnings
    assert "first" in warning


def test_a_commitment_after_one_that_cannot_be_placed_is_still_kept() -> None:
    commitments = (floating("impossible", "10:00", "10:00", step(600)), floating("lunch", "10:00", "10:00", step(60)))
    assert starts(question(commitments=commitments)) == ["09:00", "09:30", "11:00", "11:30"]


def test_a_start_is_offered_only_if_all_commitments_still_fit_beside_it() -> None:
    breaks = tuple(floating(name, "09:00", "11:00", step(60)) for name in ("one", "two"))
    assert starts(question(commitments=breaks, visit=exam(step(60)))) == ["09:00", "10:00", "11:00"]


def test_commitments_keep_off_a_visits_buffers() -> None:
    lunch = floating("lunch", "10:00", "10:30", step(30))
    problem = question(commitments=(lunch,), visit=exam(buffer_after=minutes(10)), window=span("09:00", "11:00"))
    assert starts(problem) == ["09:00", "09:30", "10:30"]
    tight = question(commitments=(lunch,), visit=exam(buffer_after=minutes(31)), window=span("09:00", "11:00"))
    assert starts(tight) == ["09:00", "10:30"]


def test_a_commitment_may_use_what_is_left_of_a_capacity() -> None:
    lunch = floating("lunch", "10:00", "10:00", step(60))
    assert starts(question(resource(capacity=2), commitments=(lunch,))) == ALL_MORNING
    full = resource(capacity=2, busy=(span("10:00", "11:00"),))
    assert starts(question(full, commitments=(lunch,))) == ["09:00", "09:30", "11:00", "11:30"]


def test_a_commitment_of_one_column_takes_the_person_in_every_column() -> None:
    columns = resource("lee-here", person="lee"), resource("lee-there", person="lee")
    lunch = floating("lunch", "10:00", "10:00", step(60, need("lee-there")))
    problem = question(*columns, visit=exam(step(30, need("lee-here"))), commitments=(lunch,))
    assert starts(problem) == ["09:00", "09:30", "11:00", "11:30"]


def test_a_commitment_does_not_count_towards_caps() -> None:
    lunch = floating("lunch", "10:00", "10:00", step(60))
    problem = question(commitments=(lunch,), visit=exam(max_per_day=1, max_per_resource_day=1))
    assert starts(problem) == ["09:00", "09:30", "11:00", "11:30"]


def test_a_commitment_needs_neither_grid_nor_notice() -> None:
    lunch = floating("lunch", "10:07", "10:07", step(23))
    problem = question(commitments=(lunch,), visit=exam(notice=hours(22), grid=Grid(starts=("10:00", "10:30"))))
    assert starts(problem) == ["10:30"]


def test_commitments_bind_several_visits_too() -> None:
    lunch = floating("lunch", "10:00", "10:30", step(60))
    assert starts(question(visits=(exam(), exam()), commitments=(lunch,))) == ["09:00", "09:30", "11:00"]


def test_an_unplaceable_commitment_of_another_day_is_reported_too() -> None:
    past = Commitment(
        id="past", earliest=local("2026-02-27T20:00"), latest=local("2026-02-27T20:00"), steps=(step(30),)
    )
    (warning,) = answer(question(commitments=(past,))).warnings
    assert "past" in warning


def test_a_commitment_after_midnight_counts_for_a_visit_before_it() -> None:
    night = resource(hours=(once("22:00", "2026-03-03T02:00"),))
    nap = floating("nap", "23:30", "2026-03-03T00:30", step(60))
    problem = question(night, visit=exam(step(120)), commitments=(nap,), window=span("20:00", "2026-03-03T06:00"))
    assert starts(problem) == ["22:00", "22:30"]


def test_a_start_is_offered_even_if_commitments_fit_beside_it_in_one_way_only() -> None:
    """At 10:30 only if the middle one starts at 9:30, neither as early nor as late as it could."""
    middle = floating("middle", "09:10", "09:50")
    others = floating("one", "09:00", "10:30"), floating("two", "09:00", "10:30")
    open_two_hours = resource(hours=(once("09:00", "11:00"),))
    problem = question(open_two_hours, commitments=(middle, *others))
    assert starts(problem) == ["09:00", "10:00", "10:30"]
    assert answer(problem).warnings == []


@examples(40)
@given(
    st.lists(
        st.tuples(st.integers(0, 18), st.sampled_from([0, 10, 20, 25]), st.sampled_from([20, 30, 40])),
        min_size=3,
        max_size=3,
    )
)
def test_a_tight_morning_is_settled_as_the_oracle_settles_it(puzzle: list[tuple[int, int, int]]) -> None:
    """Three commitments and a visit in two hours: placing them one after the other often fails where a way exists."""
    commitments = tuple(
        Commitment(
            id=f"commitment {number}",
            earliest=local("09:00") + minutes(5 * earliest),
            latest=local("09:00") + minutes(5 * earliest + slack),
            steps=(step(length),),
        )
        for number, (earliest, slack, length) in enumerate(puzzle)
    )
    morning = resource(hours=(once("09:00", "11:00"),))
    problem = question(morning, visit=exam(step(30), grid=Grid(every=minutes(10))), commitments=commitments)
    assert [slot.start for slot in solve(problem).slots] == bookable_starts(problem)
