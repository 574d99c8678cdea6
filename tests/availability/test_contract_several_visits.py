"""Section 2.4 of the contract: several visits, back to back or together."""

from __future__ import annotations

from availability.problem import Grid
from tests.availability.monday import (
    ALL_MORNING,
    DAY,
    change,
    exam,
    hours,
    minutes,
    need,
    once,
    question,
    resource,
    room,
    rule,
    span,
    starts,
    step,
    the_slot,
)

TWO = (exam(), exam())
EITHER = need("dr-lee", "dr-kim")
TOGETHER = {"arrangement": "together"}


def test_visits_follow_one_another_back_to_back_by_default() -> None:
    problem = question(visits=TWO)
    assert starts(problem) == ["09:00", "09:30", "10:00", "10:30", "11:00"]
    slot = the_slot(problem, "11:00")
    assert slot.end - slot.start == minutes(60)


def test_visits_follow_one_another_in_the_given_order() -> None:
    nurse = resource("nurse", hours=(once("09:00", "10:00"),))
    first = exam(step(30, need("nurse", role="technician")), appointment_type="vaccination")
    assert starts(question(resource(hours=(once("09:30", "12:00"),)), nurse, visits=(first, exam()))) == [
        "09:00",
        "09:30",
    ]
    assert starts(question(resource(hours=(once("09:30", "12:00"),)), nurse, visits=(exam(), first))) == []


def test_there_are_no_buffers_between_visits_back_to_back() -> None:
    buffered = exam(buffer_before=minutes(30), buffer_after=minutes(30))
    problem = question(resource(busy=(span("08:00", "08:30"), span("10:30", "12:00"))), visits=(buffered, buffered))
    assert starts(problem) == ["09:00"]


def test_the_first_visits_buffer_before_and_the_last_visits_buffer_after_apply() -> None:
    taken = resource(busy=(span("08:50", "09:00"), span("12:00", "12:10")))
    assert starts(question(taken, visits=TWO)) == ["09:00", "09:30", "10:00", "10:30", "11:00"]
    assert starts(question(taken, visits=(exam(buffer_before=minutes(10)), exam())))[0] == "09:30"
    assert starts(question(taken, visits=(exam(), exam(buffer_after=minutes(10)))))[-1] == "10:30"
    inner = exam(buffer_after=minutes(10)), exam(buffer_before=minutes(10))
    assert starts(question(taken, visits=inner)) == ["09:00", "09:30", "10:00", "10:30", "11:00"]


def test_a_role_named_in_same_roles_is_served_by_the_same_resource_in_all_visits() -> None:
    lee = resource("dr-lee", hours=(once("09:00", "09:30"), once("10:30", "11:30")))
    kim = resource("dr-kim", hours=(once("09:30", "10:30"),))
    visits = (exam(step(30, EITHER)), exam(step(30, EITHER)))
    assert starts(question(lee, kim, visits=visits, same_roles=("veterinarian",))) == ["09:30", "10:30"]


def test_a_role_not_named_in_same_roles_may_be_served_by_others() -> None:
    lee = resource("dr-lee", hours=(once("09:00", "09:30"), once("10:30", "11:30")))
    kim = resource("dr-kim", hours=(once("09:30", "10:30"),))
    problem = question(lee, kim, visits=(exam(step(30, EITHER)), exam(step(30, EITHER))))
    assert starts(problem) == ["09:00", "09:30", "10:00", "10:30"]
    assert the_slot(problem, "09:00").resources == [{"veterinarian": ["dr-lee"]}, {"veterinarian": ["dr-kim"]}]


def test_visits_together_start_at_the_same_instant() -> None:
    visits = (exam(step(30, EITHER)), exam(step(60, EITHER)))
    problem = question(resource(), resource("dr-kim", hours=(once("10:00", "11:30"),)), visits=visits, **TOGETHER)
    assert starts(problem) == ["10:00", "10:30", "11:00"]
    slot = the_slot(problem, "11:00")
    assert slot.resources == [{"veterinarian": ["dr-kim"]}, {"veterinarian": ["dr-lee"]}]
    assert slot.end - slot.start == minutes(60)


def test_two_visits_together_share_a_resource_only_where_its_capacity_allows() -> None:
    problem = question(visits=TWO, **TOGETHER)
    assert starts(problem) == []
    assert starts(change(problem, resources=(resource(capacity=2),))) == ALL_MORNING
    assert starts(change(problem, resources=(resource(capacity=2, busy=(span("09:00", "11:00"),)),))) == [
        "11:00",
        "11:30",
    ]


def test_visits_together_each_have_their_own_buffers() -> None:
    first = exam(step(30, need("dr-lee")), buffer_after=minutes(10))
    second = exam(step(30, need("dr-kim")), buffer_before=minutes(10))
    lee = resource("dr-lee", busy=(span("10:00", "10:10"),))
    kim = resource("dr-kim", busy=(span("10:50", "11:00"),))
    assert starts(question(lee, kim, visits=(first, second), **TOGETHER)) == ["09:00", "11:30"]


def test_the_first_visits_grid_governs_the_start() -> None:
    visits = (exam(grid=Grid(starts=("09:10",))), exam(grid=Grid(starts=("10:00",))))
    assert starts(question(visits=visits)) == ["09:10"]


def test_the_first_visits_grid_for_governs_the_start() -> None:
    visits = (exam(grid_for={"dr-lee": Grid(starts=("09:10",))}), exam(grid_for={"dr-lee": Grid(starts=("10:00",))}))
    assert starts(question(visits=visits)) == ["09:10"]


def test_the_first_visits_notice_governs_the_start() -> None:
    assert starts(question(visits=(exam(notice=hours(22)), exam())))[0] == "10:00"
    assert starts(question(visits=(exam(), exam(notice=hours(22)))))[0] == "09:00"


def test_the_first_visits_horizon_governs_the_start() -> None:
    assert starts(question(visits=(exam(horizon=hours(22)), exam())))[-1] == "10:00"
    assert starts(question(visits=(exam(), exam(horizon=hours(22)))))[-1] == "11:00"


def test_max_per_day_counts_every_visit() -> None:
    def two(booked: int) -> list[str]:
        visit = exam(max_per_day=3, booked_on={DAY: booked})
        return starts(question(visits=(visit, visit)))

    assert len(two(1)) == 5
    assert two(2) == []


def test_max_per_day_counts_visits_of_its_own_type() -> None:
    visit = exam(max_per_day=1)
    assert starts(question(visits=(visit, exam(appointment_type="vaccination"))))[0] == "09:00"


def test_max_per_resource_day_counts_every_visit() -> None:
    visit = exam(step(30, EITHER), max_per_resource_day=1)
    problem = question(resource(), resource("dr-kim", hours=(once("10:00", "11:00"),)), visits=(visit, visit))
    assert starts(problem) == ["09:30", "10:00", "10:30"]


def test_caps_count_on_the_local_day_of_the_first_start() -> None:
    night = resource(hours=(once("22:00", "2026-03-03T02:00"),))
    visit = exam(step(60), grid=Grid(every=hours(1)), max_per_day=2, booked_on={DAY: 1})
    problem = question(night, visits=(visit, visit), window=span("20:00", "2026-03-03T06:00"))
    assert starts(problem) == ["03-03 00:00"]
    tomorrow = exam(step(60), grid=Grid(every=hours(1)), max_per_day=2, booked_on={DAY.replace(day=3): 1})
    assert starts(change(problem, visits=(tomorrow, tomorrow))) == ["22:00", "23:00"]


def test_all_visits_are_booked_or_none() -> None:
    nobody = exam(step(30, need("dr-kim")))
    assert starts(question(resource(), resource("dr-kim", hours=()), visits=(exam(), nobody))) == []


def test_each_visit_obeys_the_rules_of_its_own_type() -> None:
    visits = (exam(), exam(appointment_type="vaccination"))
    denied = rule("deny", appointment_types=("vaccination",))
    assert starts(question(visits=visits, rules=(denied,))) == ["09:00", "10:30", "11:00"]


def test_three_visits_back_to_back_take_their_joint_length() -> None:
    assert starts(question(visits=(exam(), exam(step(20)), exam(step(40))))) == ["09:00", "09:30", "10:00", "10:30"]


def test_rooms_are_shared_between_visits_one_after_the_other() -> None:
    visit = exam(step(30, need("dr-lee"), need("room", role="room")))
    assert starts(question(resource(), room(), visits=(visit, visit)))[-1] == "11:00"
