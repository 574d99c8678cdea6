"""Sections 2 and 2.1 of the contract: the window, closures, practice hours, and resources."""

from __future__ import annotations

from datetime import date

from availability.problem import Closure, DayHours, Grid, Override, Recurring
from tests.availability.monday import (
    ALL_MORNING,
    DAY,
    exam,
    hours,
    minutes,
    need,
    once,
    question,
    resource,
    room,
    serving,
    span,
    starts,
    step,
    wall,
    weekdays,
)


def closed(first: str, last: str | None = None) -> Closure:
    return Closure(first=date.fromisoformat(first), last=date.fromisoformat(last or first))


def override(*spans: tuple[str, str], day: date = DAY) -> Override:
    return Override(date=day, hours=tuple(DayHours(opens=opens, closes=closes) for opens, closes in spans))


def test_a_visit_may_start_at_the_windows_start() -> None:
    assert starts(question(window=span("10:00", "12:00")))[0] == "10:00"


def test_a_visit_may_not_start_at_the_windows_end() -> None:
    assert starts(question(window=span("09:00", "11:00")))[-1] == "10:30"


def test_a_visit_may_end_after_the_window() -> None:
    assert starts(question(window=span("09:00", "09:31"), visit=exam(step(120)))) == ["09:00", "09:30"]


def test_a_visit_may_not_start_before_now() -> None:
    assert starts(question(now=span("10:00", "10:01").start)) == ["10:00", "10:30", "11:00", "11:30"]


def test_everything_is_closed_on_a_closure() -> None:
    problem = question(
        resource(), room(), closures=(closed("2026-03-02"),), visit=exam(step(30, need("dr-lee", "room")))
    )
    assert starts(problem) == []


def test_both_ends_of_a_closure_are_closed() -> None:
    problem = question(
        closures=(closed("2026-03-03", "2026-03-05"),),
        window=span("00:00", "2026-03-07T00:00"),
        visit=exam(grid=Grid(starts=("09:00",))),
    )
    assert starts(problem) == ["09:00", "03-06 09:00"]


def test_a_closure_ends_the_night_before_it_at_midnight() -> None:
    problem = question(
        resource(hours=weekdays("22:00", hours(4))),
        window=span("20:00", "2026-03-03T06:00"),
        closures=(closed("2026-03-03"),),
        visit=exam(step(60)),
    )
    assert starts(problem) == ["22:00", "22:30", "23:00"]


def test_a_visit_lies_within_the_practice_hours() -> None:
    assert starts(question(hours=(once("10:00", "11:00"),))) == ["10:00", "10:30"]


def test_practice_hours_left_out_limit_nothing() -> None:
    assert len(starts(question(room("dr-lee")))) == 48


def test_practice_hours_without_an_entry_are_never_open() -> None:
    assert starts(question(hours=())) == []


def test_an_override_does_not_open_a_resource_beyond_the_practice_hours() -> None:
    problem = question(resource(overrides=(override(("08:00", "20:00")),)), hours=(once("10:00", "11:00"),))
    assert starts(problem) == ["10:00", "10:30"]


def test_resources_with_the_same_person_share_their_busy_time() -> None:
    here = resource("lee-here", person="lee")
    there = resource("lee-there", person="lee", busy=(span("09:00", "11:00"),))
    assert starts(question(here, there, visit=exam(step(30, need("lee-here"))))) == ["11:00", "11:30"]


def test_resources_with_the_same_person_do_not_share_their_block_offs() -> None:
    here = resource("lee-here", person="lee")
    there = resource("lee-there", person="lee", block_offs=(once("09:00", "11:00"),))
    assert starts(question(here, there, visit=exam(step(30, need("lee-here"))))) == ALL_MORNING


def test_one_person_cannot_serve_two_needs_of_a_step_in_two_columns() -> None:
    columns = resource("lee-here", person="lee"), resource("lee-there", person="lee")
    visit = exam(step(30, need("lee-here"), need("lee-there", role="technician")))
    assert starts(question(*columns, visit=visit)) == []


def test_a_resource_serves_as_many_visits_at_once_as_its_capacity() -> None:
    twice = (span("09:00", "10:00"), span("09:30", "10:30"))
    assert starts(question(resource(capacity=2, busy=twice)))[:2] == ["09:00", "10:00"]
    assert starts(question(resource(capacity=3, busy=twice))) == ALL_MORNING


def test_a_resource_serves_one_visit_at_once_by_default() -> None:
    assert starts(question(resource(busy=(span("09:00", "11:00"),)))) == ["11:00", "11:30"]


def test_a_busy_person_takes_a_unit_of_each_of_their_columns() -> None:
    here = resource("lee-here", person="lee", capacity=2)
    there = resource("lee-there", person="lee", capacity=2, busy=(span("09:00", "11:00"), span("10:00", "12:00")))
    assert starts(question(here, there, visit=exam(step(30, need("lee-here"))))) == [
        "09:00",
        "09:30",
        "11:00",
        "11:30",
    ]


def test_a_resource_without_hours_is_always_open() -> None:
    assert starts(question(room("dr-lee")))[-1] == "23:30"


def test_a_resource_with_an_empty_list_of_hours_is_never_open() -> None:
    assert starts(question(resource(hours=()))) == []


def test_hours_that_overlap_or_touch_are_one_open_time() -> None:
    opens = (once("09:00", "10:00"), once("10:00", "11:00"), once("10:30", "12:00"))
    assert starts(question(resource(hours=opens), visit=exam(step(180)))) == ["09:00"]


def test_an_overrides_hours_replace_the_hours_of_that_date() -> None:
    problem = question(resource(overrides=(override(("08:00", "09:00"), ("10:00", "11:00")),)))
    assert starts(problem) == ["08:00", "08:30", "10:00", "10:30"]


def test_an_override_leaves_other_dates_alone() -> None:
    problem = question(
        resource(overrides=(override(day=date(2026, 3, 3)),)),
        window=span("00:00", "2026-03-05T00:00"),
        visit=exam(grid=Grid(starts=("09:00",))),
    )
    assert starts(problem) == ["09:00", "03-04 09:00"]


def test_an_override_without_hours_is_a_day_off() -> None:
    assert starts(question(resource(overrides=(override(),)))) == []


def test_an_override_to_24_00_ends_at_midnight() -> None:
    problem = question(resource(overrides=(override(("23:00", "24:00")),)), window=span("00:00", "2026-03-03T06:00"))
    assert starts(problem) == ["23:00", "23:30"]


def test_an_override_until_midnight_joins_the_next_days_hours() -> None:
    night = Recurring(starts=wall("2026-03-03T00:00"), duration=hours(2))
    problem = question(
        resource(hours=(night,), overrides=(override(("23:00", "24:00")),)),
        window=span("00:00", "2026-03-03T06:00"),
        visit=exam(step(150)),
    )
    assert starts(problem) == ["23:00", "23:30"]


def test_an_override_replaces_the_tail_of_the_night_before_on_its_date() -> None:
    night = resource(hours=(once("2026-03-01T22:00", "2026-03-02T04:00"),), overrides=(override(("10:00", "11:00")),))
    problem = question(night, window=span("2026-03-01T21:00", "2026-03-02T23:00"), visit=exam(step(60)))
    assert starts(problem) == ["03-01 22:00", "03-01 22:30", "03-01 23:00", "10:00"]


def test_an_override_leaves_the_tail_of_its_night_on_the_next_date() -> None:
    night = resource(hours=(once("22:00", "2026-03-03T02:00"),), overrides=(override(),))
    problem = question(night, window=span("20:00", "2026-03-03T06:00"), visit=exam(step(60)))
    assert starts(problem) == ["03-03 00:00", "03-03 00:30", "03-03 01:00"]


def test_an_override_gives_hours_to_a_room_that_is_always_open() -> None:
    assert starts(question(room("dr-lee", overrides=(override(("10:00", "11:00")),)))) == ["10:00", "10:30"]


def test_a_block_off_closes_the_whole_resource_whatever_its_capacity() -> None:
    problem = question(resource(capacity=5, block_offs=(once("09:00", "11:00"),)))
    assert starts(problem) == ["11:00", "11:30"]


def test_a_block_off_recurs() -> None:
    lunch = Recurring(starts=wall("2026-02-02T09:00"), duration=hours(2), rrule="FREQ=WEEKLY;BYDAY=MO,TU")
    problem = question(
        resource(block_offs=(lunch,)),
        window=span("00:00", "2026-03-05T00:00"),
        visit=exam(grid=Grid(starts=("10:30",))),
    )
    assert starts(problem) == ["03-04 10:30"]


def test_busy_spans_beyond_the_capacity_leave_the_resource_full() -> None:
    double = (span("09:00", "10:00"),) * 3
    assert starts(question(resource(capacity=2, busy=double))) == ["10:00", "10:30", "11:00", "11:30"]


def test_busy_spans_beyond_the_capacity_of_one_do_not_close_the_other() -> None:
    problem = question(
        resource("dr-lee", busy=(span("09:00", "10:00"),) * 2),
        resource("dr-kim"),
        visit=exam(step(30, need("dr-lee", "dr-kim"))),
    )
    assert serving(problem, "09:00") == ["dr-kim"]


def test_a_resources_booked_on_counts_against_its_cap() -> None:
    problem = question(
        resource("dr-lee", booked_on={DAY: 5}),
        resource("dr-kim", hours=(once("10:00", "11:00"),), booked_on={DAY: 4}),
        visit=exam(step(30, need("dr-lee", "dr-kim")), max_per_resource_day=5),
    )
    assert starts(problem) == ["10:00", "10:30"]


def test_a_resources_booked_on_without_a_cap_limits_nothing() -> None:
    assert starts(question(resource(booked_on={DAY: 50}))) == ALL_MORNING


def test_any_of_several_resources_may_serve() -> None:
    problem = question(
        resource("dr-lee", hours=(once("09:00", "10:00"),)),
        resource("dr-kim", hours=(once("09:30", "10:30"),)),
        visit=exam(step(30, need("dr-lee", "dr-kim"))),
    )
    assert starts(problem) == ["09:00", "09:30", "10:00"]
    assert serving(problem, "10:00") == ["dr-kim"]


def test_one_visit_is_not_handed_from_one_resource_to_another() -> None:
    problem = question(
        resource("dr-lee", hours=(once("09:00", "10:00"),)),
        resource("dr-kim", hours=(once("10:00", "11:00"),)),
        visit=exam(step(60, need("dr-lee", "dr-kim"))),
    )
    assert starts(problem) == ["09:00", "10:00"]


def test_minutes_are_enough_for_a_visit_that_fits_to_the_minute() -> None:
    gap = (span("09:00", "10:07"), span("10:24", "12:00"))
    grid = Grid(every=minutes(1))
    assert starts(question(resource(busy=gap), visit=exam(step(17), grid=grid))) == ["10:07"]
    assert starts(question(resource(busy=gap), visit=exam(step(18), grid=grid))) == []
