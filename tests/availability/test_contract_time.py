"""Section 1 of the contract: time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from availability import decode
from availability.problem import Grid, Recurring
from availability.spans import Span
from tests.availability.monday import (
    ALL_MORNING,
    exam,
    hours,
    local,
    minutes,
    once,
    question,
    resource,
    room,
    span,
    starts,
    step,
    wall,
    weekdays,
)

SPRING = {"window": span("2026-03-08T00:00", "2026-03-08T06:00")}
AUTUMN = {"window": span("2026-11-01T00:00", "2026-11-01T06:00"), "now": local("2026-10-31T12:00")}


def test_a_plain_morning_is_offered_from_opening_until_the_last_visit_that_fits() -> None:
    assert starts(question()) == ALL_MORNING


def test_a_busy_span_leaves_the_minute_free_at_which_it_ends() -> None:
    assert starts(question(resource(busy=(span("09:00", "10:00"),)))) == ["10:00", "10:30", "11:00", "11:30"]


def test_a_visit_may_end_in_the_minute_in_which_a_busy_span_starts() -> None:
    assert starts(question(resource(busy=(span("10:00", "12:00"),)))) == ["09:00", "09:30"]


def test_a_busy_span_that_ends_inside_a_minute_takes_the_whole_minute() -> None:
    busy = Span(start=local("09:00"), end=local("10:00") + timedelta(seconds=1))
    assert starts(question(resource(busy=(busy,)))) == ["10:30", "11:00", "11:30"]


def test_a_busy_span_that_starts_inside_a_minute_takes_the_whole_minute() -> None:
    busy = Span(start=local("10:00") - timedelta(seconds=1), end=local("12:00"))
    assert starts(question(resource(busy=(busy,)))) == ["09:00"]


def test_an_open_span_that_starts_inside_a_minute_opens_with_the_next() -> None:
    opens = Recurring(starts=wall("2026-03-02T09:00:01"), duration=hours(3))
    assert starts(question(resource(hours=(opens,)))) == ALL_MORNING[1:]


def test_an_open_span_that_ends_inside_a_minute_closes_before_it() -> None:
    opens = Recurring(starts=wall("2026-03-02T09:00"), duration=hours(3) - timedelta(seconds=1))
    assert starts(question(resource(hours=(opens,)))) == ALL_MORNING[:-1]


def test_a_block_off_that_ends_inside_a_minute_closes_the_whole_minute() -> None:
    blocked = Recurring(starts=wall("2026-03-02T09:00"), duration=hours(1) + timedelta(seconds=1))
    assert starts(question(resource(block_offs=(blocked,)))) == ALL_MORNING[3:]


def test_an_instant_may_be_written_with_an_offset_or_in_utc() -> None:
    text = b"""{"timezone": "America/New_York", "now": "%s",
        "window": {"start": "%s", "end": "2026-03-03T05:00:00Z"},
        "resources": [{"id": "dr-lee"}],
        "visits": [{"appointment_type": "exam", "grid": {"every": "PT30M"},
            "steps": [{"duration": "PT30M", "needs": [{"role": "veterinarian", "any_of": ["dr-lee"]}]}]}]}"""
    offset = decode(text % (b"2026-03-01T12:00:00-05:00", b"2026-03-02T00:00:00-05:00"))
    utc = decode(text % (b"2026-03-01T17:00:00Z", b"2026-03-02T05:00:00Z"))
    assert offset.now == utc.now == datetime(2026, 3, 1, 17, tzinfo=UTC)
    assert offset.window.start == utc.window.start


def test_durations_are_iso_8601() -> None:
    text = b"""{"timezone": "UTC", "now": "2026-03-01T12:00:00Z",
        "window": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}, "resources": [{"id": "dr-lee"}],
        "visits": [{"appointment_type": "exam", "grid": {"every": "PT15M"}, "notice": "PT1H30M", "horizon": "P60D",
            "steps": [{"duration": "PT1H", "needs": [{"role": "veterinarian", "any_of": ["dr-lee"]}]}]}]}"""
    visit = decode(text).visits[0]
    assert (visit.grid.every, visit.notice, visit.horizon) == (minutes(15), minutes(90), timedelta(days=60))
    assert visit.steps[0].duration == hours(1)


def test_recurring_time_keeps_its_wall_clock_time_when_the_clocks_change() -> None:
    opens = Recurring(starts=wall("2026-03-01T09:00"), duration=minutes(30), rrule="FREQ=WEEKLY")
    problem = question(resource(hours=(opens,)), window=span("2026-03-08T00:00", "2026-03-16T00:00"))
    assert starts(problem) == ["03-08 09:00", "03-15 09:00"]


def test_an_opening_that_does_not_exist_on_the_spring_night_is_moved_forward_by_the_gap() -> None:
    opens = once("2026-03-08T02:30", "2026-03-08T04:30")
    assert starts(question(resource(hours=(opens,)), **SPRING)) == ["03-08 03:30", "03-08 04:00"]


def test_a_closing_that_does_not_exist_on_the_spring_night_is_moved_forward_by_the_gap() -> None:
    opens = once("2026-03-08T01:00", "2026-03-08T02:30")
    assert starts(question(resource(hours=(opens,)), **SPRING)) == ["03-08 01:00", "03-08 01:30", "03-08 03:00"]


def test_an_opening_that_occurs_twice_on_the_autumn_night_means_its_first_occurrence() -> None:
    opens = once("2026-11-01T01:30", "2026-11-01T02:30")
    taken = Span(start=local("2026-11-01T01:30"), end=local("2026-11-01T01:30") + minutes(30))
    problem = question(resource(hours=(opens,)), visit=exam(step(90)), **AUTUMN)
    assert starts(problem) == ["11-01 01:30"]
    assert starts(question(resource(hours=(opens,), busy=(taken,)), visit=exam(step(90)), **AUTUMN)) == []


def test_a_closing_that_occurs_twice_on_the_autumn_night_means_its_first_occurrence() -> None:
    opens = once("2026-11-01T00:30", "2026-11-01T01:30")
    assert starts(question(resource(hours=(opens,)), **AUTUMN)) == ["11-01 00:30", "11-01 01:00"]


def test_a_span_whose_start_and_end_fall_together_vanishes() -> None:
    opens = once("2026-03-08T02:00", "2026-03-08T03:00")
    assert starts(question(resource(hours=(opens,)), visit=exam(step(1)), **SPRING)) == []


def test_a_span_that_would_end_before_it_starts_on_the_spring_night_vanishes() -> None:
    opens = once("2026-03-08T02:30", "2026-03-08T03:00")
    assert starts(question(resource(hours=(opens,)), visit=exam(step(1)), **SPRING)) == []


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-06-15"])
def test_nine_hours_from_eight_end_at_seventeen_local_also_when_the_clocks_change(day: str) -> None:
    opens = Recurring(starts=datetime.fromisoformat(f"{day}T00:00"), duration=hours(17))
    problem = question(
        resource(hours=(opens,)),
        visit=exam(grid=Grid(starts=("16:00", "16:30", "17:00"))),
        now=local(f"{day}T00:00") - hours(1),
        window=Span(start=local(f"{day}T00:00"), end=local(f"{day}T23:00")),
    )
    assert starts(problem) == [f"{day[5:]} 16:00", f"{day[5:]} 16:30"]


def test_a_visit_takes_elapsed_time_not_wall_clock_time() -> None:
    problem = question(
        room("dr-lee", busy=(span("2026-03-08T04:00", "2026-03-08T06:00"),)), visit=exam(step(120)), **SPRING
    )
    assert starts(problem)[-1] == "03-08 01:00"


def test_a_grid_time_that_does_not_exist_is_moved_forward_by_the_gap() -> None:
    problem = question(room("dr-lee"), visit=exam(grid=Grid(starts=("02:20",))), **SPRING)
    assert starts(problem) == ["03-08 03:20"]


def test_grid_times_moved_onto_one_another_are_one_start() -> None:
    problem = question(room("dr-lee"), visit=exam(grid=Grid(starts=("02:20", "03:20"))), **SPRING)
    assert starts(problem) == ["03-08 03:20"]


def test_a_grid_time_that_occurs_twice_means_its_first_occurrence() -> None:
    problem = question(room("dr-lee"), visit=exam(grid=Grid(starts=("01:30",))), **AUTUMN)
    assert starts(problem) == ["11-01 01:30"]


def test_an_even_grid_skips_the_hour_that_is_repeated() -> None:
    problem = question(room("dr-lee"), **{**AUTUMN, "window": span("2026-11-01T00:30", "2026-11-01T03:00")})
    assert starts(problem) == ["11-01 00:30", "11-01 01:00", "11-01 01:30", "11-01 02:00", "11-01 02:30"]


def test_recurring_time_without_a_rule_happens_once() -> None:
    problem = question(resource(hours=(once("09:00", "10:00"),)), window=span("00:00", "2026-03-10T00:00"))
    assert starts(problem) == ["09:00", "09:30"]


def test_recurring_time_with_a_rule_happens_again() -> None:
    opens = Recurring(starts=wall("2026-02-23T09:00"), duration=minutes(30), rrule="FREQ=WEEKLY;BYDAY=MO,WE")
    problem = question(resource(hours=(opens,)), window=span("00:00", "2026-03-10T00:00"))
    assert starts(problem) == ["09:00", "03-04 09:00", "03-09 09:00"]


def test_a_local_until_means_local_time_and_is_included() -> None:
    opens = Recurring(starts=wall("2026-03-01T09:00"), duration=minutes(30), rrule="FREQ=DAILY;UNTIL=20260303T090000")
    problem = question(resource(hours=(opens,)), window=span("00:00", "2026-03-10T00:00"))
    assert starts(problem) == ["09:00", "03-03 09:00"]


def test_an_until_in_utc_means_that_instant() -> None:
    def opens(until: str) -> Recurring:
        return Recurring(starts=wall("2026-03-01T09:00"), duration=minutes(30), rrule=f"FREQ=DAILY;UNTIL={until}")

    window = span("00:00", "2026-03-10T00:00")
    assert starts(question(resource(hours=(opens("20260303T140000Z"),)), window=window)) == ["09:00", "03-03 09:00"]
    assert starts(question(resource(hours=(opens("20260303T135959Z"),)), window=window)) == ["09:00"]


def test_a_count_is_counted_from_the_first_occurrence_on() -> None:
    opens = Recurring(starts=wall("2026-03-01T09:00"), duration=minutes(30), rrule="FREQ=DAILY;COUNT=3")
    problem = question(resource(hours=(opens,)), window=span("00:00", "2026-03-10T00:00"))
    assert starts(problem) == ["09:00", "03-03 09:00"]


def test_an_exception_date_removes_the_occurrence_that_starts_on_that_local_date() -> None:
    opens = Recurring(
        starts=wall("2026-03-01T22:00"), duration=minutes(30), rrule="FREQ=DAILY", exdates=(date(2026, 3, 3),)
    )
    problem = question(resource(hours=(opens,)), window=span("00:00", "2026-03-05T00:00"))
    assert starts(problem) == ["22:00", "03-04 22:00"]


def test_an_exception_date_leaves_the_night_that_began_the_day_before() -> None:
    opens = Recurring(
        starts=wall("2026-03-01T22:00"), duration=hours(4), rrule="FREQ=DAILY", exdates=(date(2026, 3, 2),)
    )
    problem = question(resource(hours=(opens,)), visit=exam(step(60), grid=Grid(every=hours(1))))
    assert starts(problem) == ["00:00", "01:00"]


def test_hours_that_cross_midnight_are_open_on_both_sides_of_it() -> None:
    problem = question(
        resource(hours=weekdays("22:00", hours(4))), window=span("20:00", "2026-03-03T06:00"), visit=exam(step(60))
    )
    assert starts(problem)[:4] == ["22:00", "22:30", "23:00", "23:30"]
    assert starts(problem)[-1] == "03-03 01:00"
