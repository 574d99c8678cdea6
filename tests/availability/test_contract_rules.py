"""Section 2.2 of the contract: rules that deny and rules that reserve."""

from __future__ import annotations

from availability.problem import Grid, Recurring
from tests.availability.monday import (
    ALL_MORNING,
    exam,
    floating,
    hours,
    local,
    minutes,
    need,
    question,
    resource,
    room,
    rule,
    serving,
    span,
    starts,
    step,
    wall,
)

OUTSIDE_TEN_TO_ELEVEN = ["09:00", "09:30", "11:00", "11:30"]


def test_deny_keeps_the_named_types_off_the_named_resources() -> None:
    denied = rule("deny", appointment_types=("exam",), resources=("dr-lee",))
    assert starts(question(rules=(denied,))) == OUTSIDE_TEN_TO_ELEVEN


def test_deny_does_not_touch_other_types() -> None:
    assert starts(question(rules=(rule("deny", appointment_types=("surgery",)),))) == ALL_MORNING


def test_deny_does_not_touch_other_resources() -> None:
    problem = question(
        resource("dr-lee"),
        resource("dr-kim"),
        rules=(rule("deny", resources=("dr-lee",)),),
        visit=exam(step(30, need("dr-lee", "dr-kim"))),
    )
    assert starts(problem) == ALL_MORNING
    assert serving(problem, "10:00") == ["dr-kim"]


def test_deny_without_types_means_all_types() -> None:
    assert starts(question(rules=(rule("deny", resources=("dr-lee",)),))) == OUTSIDE_TEN_TO_ELEVEN


def test_deny_without_resources_means_all_resources() -> None:
    problem = question(resource(), room(), rules=(rule("deny"),), visit=exam(step(30, need("dr-lee", "room"))))
    assert [start for start in starts(problem) if "09:00" <= start < "12:00"] == OUTSIDE_TEN_TO_ELEVEN


def test_reserve_keeps_other_types_off_the_named_resources() -> None:
    reserved = rule("reserve", appointment_types=("surgery",), resources=("dr-lee",))
    assert starts(question(rules=(reserved,))) == OUTSIDE_TEN_TO_ELEVEN


def test_reserve_lets_the_named_types_in() -> None:
    assert starts(question(rules=(rule("reserve", appointment_types=("surgery", "exam")),))) == ALL_MORNING


def test_reserve_does_not_touch_other_resources() -> None:
    problem = question(
        resource("dr-lee"),
        resource("dr-kim"),
        rules=(rule("reserve", appointment_types=("x",), resources=("dr-kim",)),),
    )
    assert starts(problem) == ALL_MORNING


def test_reserve_without_types_takes_every_type() -> None:
    assert starts(question(rules=(rule("reserve", resources=("dr-lee",)),))) == ALL_MORNING


def test_two_reservations_of_one_hour_both_hold() -> None:
    surgery = rule("reserve", name="surgery", appointment_types=("surgery",))
    exams = rule("reserve", name="exams", appointment_types=("exam",))
    assert starts(question(rules=(surgery, exams))) == OUTSIDE_TEN_TO_ELEVEN


def test_a_visit_touches_a_rule_when_any_part_of_it_overlaps_the_span() -> None:
    denied = rule("deny", "10:00", "10:01")
    problem = question(rules=(denied,), visit=exam(grid=Grid(every=minutes(5))), window=span("09:00", "10:30"))
    assert starts(problem)[6:] == ["09:30", *[f"10:{m:02}" for m in range(5, 30, 5)]]


def test_a_rule_is_touched_by_the_steps_on_its_own_resource_only() -> None:
    visit = exam(step(30, need("nurse", role="technician")), step(30))
    problem = question(resource(), resource("nurse"), rules=(rule("deny", resources=("dr-lee",)),), visit=visit)
    assert starts(problem) == ["09:00", "10:30", "11:00"]


def test_buffers_do_not_touch_a_rule() -> None:
    visit = exam(buffer_before=minutes(30), buffer_after=minutes(30))
    problem = question(rules=(rule("deny"),), visit=visit)
    assert starts(problem) == OUTSIDE_TEN_TO_ELEVEN


def test_a_rule_recurs() -> None:
    mondays = Recurring(starts=wall("2026-02-02T10:00"), duration=hours(1), rrule="FREQ=WEEKLY")
    problem = question(
        rules=(rule("deny", when=(mondays,)),),
        window=span("00:00", "2026-03-04T00:00"),
        visit=exam(grid=Grid(starts=("10:00",))),
    )
    assert starts(problem) == ["03-03 10:00"]


def test_a_released_reservation_no_longer_holds_for_visits_that_start_soon() -> None:
    reserved = rule("reserve", "09:00", "12:00", appointment_types=("surgery",), release=hours(24))
    assert starts(question(rules=(reserved,), now=local("2026-03-01T10:15"))) == ["09:00", "09:30", "10:00"]


def test_a_reservation_still_holds_for_a_visit_that_starts_exactly_its_release_after_now() -> None:
    reserved = rule("reserve", "09:00", "12:00", appointment_types=("surgery",), release=hours(24))
    assert starts(question(rules=(reserved,), now=local("2026-03-01T10:00"))) == ["09:00", "09:30"]


def test_a_reservation_holds_for_ever_without_a_release() -> None:
    reserved = rule("reserve", "09:00", "12:00", appointment_types=("surgery",))
    assert starts(question(rules=(reserved,), now=local("08:59"))) == []


def test_a_released_reservation_still_admits_the_named_types() -> None:
    reserved = rule("reserve", "09:00", "12:00", appointment_types=("exam",), release=hours(24))
    assert starts(question(rules=(reserved,), now=local("2026-03-01T10:15"))) == ALL_MORNING


def test_a_commitment_is_kept_off_by_a_rule_that_denies_every_type() -> None:
    lunch = floating("lunch", "10:00", "10:30", step(60))
    problem = question(rules=(rule("deny", "11:00", "12:00"),), commitments=(lunch,))
    assert starts(problem) == ["09:00", "09:30"]


def test_a_commitment_without_a_type_is_not_among_a_reservations_types() -> None:
    lunch = floating("lunch", "10:00", "11:00", step(60))
    reserved = rule("reserve", "11:00", "12:00", appointment_types=("exam",))
    assert starts(question(rules=(reserved,), commitments=(lunch,))) == ["09:00", "09:30", "11:00", "11:30"]
