"""Section 2.3 of the contract: steps, needs, buffers, grids, notice, horizon and caps of one visit."""

from __future__ import annotations

from datetime import date
from typing import Any

from availability.problem import Grid, Recurring
from tests.availability.monday import (
    ALL_MORNING,
    DAY,
    exam,
    hours,
    local,
    minutes,
    need,
    once,
    question,
    resource,
    room,
    rule,
    serving,
    span,
    starts,
    step,
    the_slot,
    wall,
)

NURSE: dict[str, Any] = {"role": "technician"}


def test_the_appointment_type_is_what_rules_refer_to() -> None:
    rules = (rule("deny", appointment_types=("surgery",)),)
    assert starts(question(rules=rules, visit=exam(appointment_type="surgery"))) == ["09:00", "09:30", "11:00", "11:30"]


def test_steps_follow_one_another_in_order() -> None:
    nurse = resource("nurse", hours=(once("09:00", "10:00"),))
    doctor = resource("dr-lee", hours=(once("09:10", "11:00"),))
    problem = question(nurse, doctor, visit=exam(step(10, need("nurse", **NURSE)), step(20)))
    assert starts(problem) == ["09:00", "09:30"]


def test_a_resource_is_used_during_its_own_steps_only() -> None:
    nurse = resource("nurse", busy=(span("09:10", "09:30"),))
    doctor = resource("dr-lee", busy=(span("09:00", "09:10"),))
    visit = exam(step(10, need("nurse", **NURSE)), step(20))
    assert starts(question(nurse, doctor, visit=visit))[0] == "09:00"


def test_a_role_kept_over_steps_leaves_its_resource_free_in_a_step_between() -> None:
    doctor = resource("dr-lee", busy=(span("09:10", "09:20"),))
    visit = exam(step(10), step(10, need("nurse", **NURSE)), step(10))
    assert starts(question(doctor, resource("nurse"), visit=visit))[0] == "09:00"


def test_a_need_takes_its_whole_count() -> None:
    nurses = (
        resource("n1"),
        resource("n2", hours=(once("09:00", "10:00"),)),
        resource("n3", hours=(once("09:30", "10:30"),)),
    )
    assert starts(question(*nurses, visit=exam(step(30, need("n1", "n2", "n3", count=2))))) == [
        "09:00",
        "09:30",
        "10:00",
    ]
    assert starts(question(*nurses, visit=exam(step(30, need("n1", "n2", "n3", count=3))))) == ["09:30"]


def test_the_count_is_one_by_default() -> None:
    assert (
        len(serving(question(resource(), resource("dr-kim"), visit=exam(step(30, need("dr-lee", "dr-kim")))), "09:00"))
        == 1
    )


def test_the_resources_of_a_need_are_distinct_whatever_their_capacity() -> None:
    assert (
        starts(
            question(
                resource(capacity=2),
                resource("dr-kim", hours=()),
                visit=exam(step(30, need("dr-lee", "dr-kim", count=2))),
            )
        )
        == []
    )


def test_no_resource_serves_two_needs_of_one_step_at_once() -> None:
    both = exam(step(30, need("dr-lee"), need("dr-lee", "nurse", **NURSE)))
    problem = question(resource(), resource("nurse", hours=(once("10:00", "11:00"),)), visit=both)
    assert starts(problem) == ["10:00", "10:30"]
    assert serving(problem, "10:00", "technician") == ["nurse"]


def test_a_resource_with_capacity_may_serve_two_needs_of_one_step() -> None:
    both = exam(step(30, need("dr-lee"), need("dr-lee", **NURSE)))
    assert starts(question(resource(capacity=2), visit=both)) == ALL_MORNING


def test_needs_that_draw_on_one_pool_are_served_by_the_only_matching_that_exists() -> None:
    roles = [need("a", "b", role="x"), need("a", "c", role="y"), need("a", role="z")]
    problem = question(room("a"), room("b"), room("c"), visit=exam(step(30, *roles)), window=span("09:00", "09:30"))
    assert the_slot(problem, "09:00").resources == {"x": ["b"], "y": ["c"], "z": ["a"]}


def test_a_role_in_several_steps_is_served_by_the_same_resource() -> None:
    either = need("dr-lee", "dr-kim")
    lee = resource("dr-lee", hours=(once("09:00", "09:30"), once("10:30", "11:30")))
    kim = resource("dr-kim", hours=(once("09:30", "10:30"),))
    problem = question(lee, kim, visit=exam(step(30, either), step(30, either)))
    assert starts(problem) == ["09:30", "10:30"]


def test_a_role_in_several_steps_is_served_by_someone_whom_all_of_them_name() -> None:
    visit = exam(step(30, need("a", "b")), step(30, need("b", "c")))
    problem = question(room("a"), resource("b", hours=(once("09:00", "10:30"),)), room("c"), visit=visit)
    assert starts(problem) == ["09:00", "09:30"]
    assert serving(problem, "09:00") == ["b"]


def test_a_buffer_before_keeps_the_time_before_the_visit_free() -> None:
    problem = question(resource(busy=(span("09:30", "10:00"),)), visit=exam(buffer_before=minutes(10)))
    assert starts(problem) == ["09:00", "10:30", "11:00", "11:30"]


def test_a_buffer_after_keeps_the_time_after_the_visit_free() -> None:
    problem = question(resource(busy=(span("10:00", "10:30"),)), visit=exam(buffer_after=minutes(10)))
    assert starts(problem) == ["09:00", "10:30", "11:00", "11:30"]


def test_a_buffer_may_lie_outside_open_hours() -> None:
    problem = question(hours=(once("09:00", "12:00"),), visit=exam(buffer_before=minutes(30), buffer_after=minutes(30)))
    assert starts(problem) == ALL_MORNING


def test_a_buffer_may_not_lie_on_a_block_off() -> None:
    blocked = resource(block_offs=(once("08:50", "09:00"), once("12:00", "12:10")))
    assert starts(question(blocked, visit=exam(buffer_before=minutes(10)))) == ALL_MORNING[1:]
    assert starts(question(blocked, visit=exam(buffer_after=minutes(10)))) == ALL_MORNING[:-1]


def test_a_buffer_may_not_lie_on_busy_time_outside_open_hours() -> None:
    assert (
        starts(question(resource(busy=(span("08:50", "09:00"),)), visit=exam(buffer_before=minutes(10))))[0] == "09:30"
    )


def test_buffers_are_kept_on_the_resources_of_the_first_and_the_last_step_only() -> None:
    visit = exam(step(10, need("nurse", **NURSE)), step(20), buffer_before=minutes(10), buffer_after=minutes(10))
    taken = (span("08:50", "09:10"), span("09:30", "09:40"))
    nurse_after = question(resource(), resource("nurse", busy=taken[1:]), visit=visit)
    doctor_before = question(resource(busy=taken[:1]), resource("nurse"), visit=visit)
    assert starts(nurse_after)[0] == "09:00"
    assert starts(doctor_before)[0] == "09:00"
    assert starts(question(resource(busy=taken[1:]), resource("nurse"), visit=visit))[0] != "09:00"
    assert starts(question(resource(), resource("nurse", busy=taken[:1]), visit=visit))[0] != "09:00"


def test_a_buffer_takes_one_unit_of_capacity() -> None:
    problem = question(resource(capacity=2, busy=(span("09:30", "10:00"),)), visit=exam(buffer_before=minutes(10)))
    assert starts(problem) == ALL_MORNING


def test_a_grid_from_midnight_counts_in_steps_from_midnight() -> None:
    assert starts(question(visit=exam(grid=Grid(every=minutes(50))))) == ["09:10", "10:00", "10:50"]


def test_a_grid_is_moved_by_its_offset() -> None:
    assert starts(question(visit=exam(grid=Grid(every=minutes(60), offset=minutes(10))))) == ["09:10", "10:10", "11:10"]


def test_a_grid_from_midnight_begins_anew_every_day() -> None:
    grid = Grid(every=hours(7))
    problem = question(room("dr-lee"), visit=exam(grid=grid), window=span("00:00", "2026-03-04T00:00"))
    assert starts(problem)[4:] == ["03-03 00:00", "03-03 07:00", "03-03 14:00", "03-03 21:00"]


def test_a_grid_from_opening_counts_from_the_practices_opening() -> None:
    problem = question(
        room("dr-lee"), hours=(once("09:10", "10:30"),), visit=exam(grid=Grid(every=minutes(20), anchor="opening"))
    )
    assert starts(problem) == ["09:10", "09:30", "09:50"]


def test_a_grid_from_opening_counts_from_each_opening_of_the_day() -> None:
    halves = (once("09:00", "10:00"), once("14:10", "15:10"))
    problem = question(room("dr-lee"), hours=halves, visit=exam(grid=Grid(every=minutes(30), anchor="opening")))
    assert {"09:00", "09:30", "14:10", "14:40"} <= set(starts(problem))


def test_a_grid_from_opening_counts_from_the_first_needs_resource_where_practice_hours_are_left_out() -> None:
    lee = resource("dr-lee", hours=(once("09:05", "10:05"),))
    kim = resource("dr-kim", hours=(once("09:20", "10:20"),))
    visit = exam(step(30, need("dr-lee", "dr-kim")), grid=Grid(every=minutes(30), anchor="opening"))
    problem = question(lee, kim, visit=visit)
    assert starts(problem) == ["09:05", "09:20", "09:35", "09:50"]
    assert [serving(problem, at) for at in ("09:05", "09:20")] == [["dr-lee"], ["dr-kim"]]


def test_a_grid_of_listed_times_offers_those_times() -> None:
    problem = question(visit=exam(grid=Grid(starts=("09:00", "09:40", "11:31"))))
    assert starts(problem) == ["09:00", "09:40"]


def test_grid_for_gives_a_resource_that_serves_the_first_need_a_grid_of_its_own() -> None:
    visit = exam(step(30, need("dr-lee", "dr-kim")), grid_for={"dr-kim": Grid(starts=("09:20", "10:00"))})
    problem = question(resource("dr-lee", hours=(once("09:00", "10:00"),)), resource("dr-kim"), visit=visit)
    assert starts(problem) == ["09:00", "09:20", "09:30", "10:00"]
    assert [serving(problem, at) for at in ("09:20", "09:30")] == [["dr-kim"], ["dr-lee"]]


def test_grid_for_a_resource_of_another_need_changes_nothing() -> None:
    visit = exam(step(30, need("dr-lee"), need("nurse", **NURSE)), grid_for={"nurse": Grid(starts=("09:20",))})
    assert starts(question(resource(), resource("nurse"), visit=visit)) == ALL_MORNING


def test_a_start_is_on_the_grid_of_each_resource_that_the_first_need_takes() -> None:
    visit = exam(step(30, need("dr-lee", "dr-kim", count=2)), grid_for={"dr-kim": Grid(every=minutes(45))})
    assert starts(question(resource(), resource("dr-kim"), visit=visit)) == ["09:00", "10:30"]


def test_notice_is_the_least_time_from_now_to_the_start() -> None:
    assert starts(question(visit=exam(notice=hours(22)))) == ["10:00", "10:30", "11:00", "11:30"]


def test_without_notice_a_visit_may_start_now() -> None:
    assert starts(question(now=local("10:00")))[0] == "10:00"


def test_now_is_not_rounded() -> None:
    late = question(now=local("10:00") + minutes(1) / 60)
    assert starts(late)[0] == "10:30"


def test_horizon_is_the_most_time_from_now_to_the_start() -> None:
    assert starts(question(visit=exam(horizon=hours(22)))) == ["09:00", "09:30", "10:00"]


def test_without_a_horizon_there_is_no_limit() -> None:
    far = question(window=span("2029-03-05T00:00", "2029-03-06T00:00"))
    assert len(starts(far)) == 6


def test_max_per_day_counts_what_is_booked_on_that_local_day() -> None:
    visit = exam(grid=Grid(starts=("09:00",)), max_per_day=3, booked_on={DAY: 3, date(2026, 3, 3): 2})
    assert starts(question(visit=visit, window=span("00:00", "2026-03-05T00:00"))) == ["03-03 09:00", "03-04 09:00"]


def test_booked_on_without_max_per_day_limits_nothing() -> None:
    assert starts(question(visit=exam(booked_on={DAY: 99}))) == ALL_MORNING


def test_a_local_day_of_a_cap_ends_at_local_midnight() -> None:
    night = resource(hours=(Recurring(starts=wall("22:00"), duration=hours(4)),))
    visit = exam(step(60), grid=Grid(every=hours(1)), max_per_day=1, booked_on={DAY: 1})
    problem = question(night, visit=visit, window=span("20:00", "2026-03-03T06:00"))
    assert starts(problem) == ["03-03 00:00", "03-03 01:00"]


def test_max_per_resource_day_counts_for_each_resource_that_serves_the_first_need() -> None:
    both = need("dr-lee", "dr-kim")
    problem = question(
        resource("dr-lee", booked_on={DAY: 2}),
        resource("dr-kim", hours=(once("10:00", "11:00"),)),
        visit=exam(step(30, both), max_per_resource_day=2),
    )
    assert starts(problem) == ["10:00", "10:30"]


def test_max_per_resource_day_does_not_count_for_the_resources_of_other_needs() -> None:
    visit = exam(step(30, need("dr-lee"), need("nurse", **NURSE)), max_per_resource_day=2)
    assert starts(question(resource(), resource("nurse", booked_on={DAY: 9}), visit=visit)) == ALL_MORNING


def test_max_per_resource_day_holds_for_every_resource_of_a_need_for_two() -> None:
    visit = exam(step(30, need("dr-lee", "dr-kim", count=2)), max_per_resource_day=2)
    assert starts(question(resource(), resource("dr-kim", booked_on={DAY: 2}), visit=visit)) == []


def test_a_step_is_open_free_and_allowed_for_the_whole_of_its_length() -> None:
    visit = exam(step(60), grid=Grid(every=minutes(15)))
    tight = resource(hours=(once("09:00", "11:30"),), busy=(span("10:15", "10:20"),))
    assert starts(question(tight, visit=visit)) == ["09:00", "09:15", "10:30"]
