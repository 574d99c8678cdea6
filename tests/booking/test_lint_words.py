"""The lint: each oddity of a set-up is told in one plain sentence, and a sound set-up gets none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from availability import Grid, Recurring
from booking.configure.set_up import SetUp
from booking.db.appointment_types import RoleNeed, TypeStep
from booking.db.configuration import (
    ClosureSettings,
    PracticeSettings,
    QuestionSettings,
    ResourceSettings,
    RuleSettings,
    TypeSettings,
)
from booking.lint import lint

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
TYPE, VET, ROOM = UUID(int=1), UUID(int=2), UUID(int=3)
PRACTICE = PracticeSettings(
    name="Oak Lane",
    phone="+12125550100",
    email="",
    address="1 Oak Lane",
    emergency_text="",
    timezone="America/New_York",
    hours=(),
    languages=["en"],
    allowed_origins=[],
    who_may_book="everyone",
    hold_for=timedelta(minutes=10),
    freshness_limit=timedelta(minutes=15),
    stale_notice=timedelta(hours=48),
)


def weekly(days: str, *, hours: int = 8, at: str = "09:00") -> Recurring:
    starts = datetime.fromisoformat(f"2026-03-02T{at}")
    return Recurring(starts=starts, duration=timedelta(hours=hours), rrule=f"FREQ=WEEKLY;BYDAY={days}")


WORKDAYS = (weekly("MO,TU,WE,TH,FR"),)


def resource(role: str, *hours: Recurring) -> ResourceSettings:
    return ResourceSettings(name=f"The {role}", kind="provider", roles=[role], hours=hours or WORKDAYS)


def checkup(*, minutes: int = 30, needs: tuple[RoleNeed, ...] | None = None, **more: object) -> TypeSettings:
    roles = needs or (RoleNeed(role="veterinarian"), RoleNeed(role="exam room"))
    step = TypeStep(duration=timedelta(minutes=minutes), needs=roles)
    sound = TypeSettings(name="Checkup", species=["dog"], steps=(step,), bookable_online=True)
    return msgspec.structs.replace(sound, **more)


def set_up(one: TypeSettings | None = None, **more: object) -> SetUp:
    sound = SetUp(
        practice=PRACTICE,
        types={TYPE: one or checkup()},
        resources={VET: resource("veterinarian"), ROOM: resource("exam room")},
        rules={},
        closures={},
        block_offs={},
        questions={},
        mirrored=frozenset(),
        has_pims=False,
    )
    return msgspec.structs.replace(sound, **more)


def words_of(found: SetUp) -> list[str]:
    return [remark.words for remark in lint(found, NOW)]


def test_a_sound_set_up_gets_no_remark() -> None:
    assert lint(set_up(), NOW) == []


def test_a_type_that_is_not_offered_gets_no_remark() -> None:
    assert lint(set_up(checkup(bookable_online=False), resources={}), NOW) == []


def test_a_role_that_nobody_has_is_named() -> None:
    found = set_up(resources={ROOM: resource("exam room")})
    assert words_of(found) == ["“Checkup” can never be booked: nobody has the role “veterinarian”."]


def test_too_few_with_a_role_are_counted() -> None:
    found = set_up(checkup(needs=(RoleNeed(role="veterinarian", count=2),)))
    assert words_of(found) == [
        "“Checkup” can never be booked: it needs 2 with the role “veterinarian”, and there is 1."
    ]


def test_a_role_that_is_missing_on_the_only_days_is_told_with_the_days() -> None:
    resources = {
        VET: resource("veterinarian", weekly("MO,TU,WE,TH")),
        ROOM: resource("exam room", weekly("FR")),
    }
    assert words_of(set_up(resources=resources)) == [
        (
            "“Checkup” can never be booked: nobody has the role “veterinarian” on Fridays,"
            " the only days of the role “exam room”."
        )
    ]


def test_a_role_without_working_hours_is_told() -> None:
    gone = Recurring(starts=datetime(2020, 1, 6, 9), duration=timedelta(hours=8))  # noqa: DTZ001 - local time
    found = set_up(resources={VET: resource("veterinarian", gone), ROOM: resource("exam room")})
    assert words_of(found) == [
        "“Checkup” can never be booked: nobody with the role “veterinarian” has working hours in the next four weeks."
    ]


def test_a_visit_longer_than_anybody_works_is_told() -> None:
    assert words_of(set_up(checkup(minutes=570))) == [
        "“Checkup” can never be booked: nobody with the role “veterinarian” works 9 hours 30 minutes in one stretch."
    ]


def test_roles_that_never_meet_are_told() -> None:
    resources = {
        VET: resource("veterinarian", weekly("MO", hours=3)),
        ROOM: resource("exam room", weekly("MO", hours=3, at="14:00")),
    }
    assert words_of(set_up(resources=resources)) == [
        (
            "“Checkup” can never be booked: “veterinarian” and “exam room” never work at the same time"
            " for the 30 minutes that it takes."
        )
    ]


def test_start_times_outside_of_working_hours_are_told() -> None:
    assert words_of(set_up(checkup(grid=Grid(starts=("06:00", "16:45"))))) == [
        "“Checkup” can never be booked: none of its start times leaves enough working hours after it."
    ]


def test_a_rule_that_leaves_no_time_is_named_with_the_days_that_it_takes() -> None:
    rule = RuleSettings(name="No checkups", effect="deny", when=(weekly("MO,TU,WE,TH,FR"),), appointment_types=[TYPE])
    other = RuleSettings(name="Quiet Mondays", effect="deny", when=(weekly("MO"),))
    assert words_of(set_up(rules={uuid4(): other, uuid4(): rule})) == [
        (
            "“Checkup” can never be booked: the rule “No checkups” leaves no time for it, which could otherwise be on"
            " Mondays, Tuesdays, Wednesdays, Thursdays and Fridays."
        )
    ]


def test_rules_that_leave_no_time_only_together_are_told() -> None:
    rules = {
        UUID(int=days): RuleSettings(name=name, effect="deny", when=(weekly(name),))
        for days, name in enumerate(("MO,TU", "WE,TH,FR"))
    }
    assert words_of(set_up(rules=rules)) == ["“Checkup” can never be booked: the rules together leave no time for it."]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (checkup(max_per_day=0), "“Checkup” can never be booked: it may be booked 0 times a day."),
        (checkup(species=[]), "“Checkup” can never be booked: no species may come for it."),
        (
            checkup(notice=timedelta(days=3), horizon=timedelta(days=2)),
            "“Checkup” can never be booked: it takes 3 days notice, and can be booked only 2 days ahead.",
        ),
        (
            checkup(category="End of life"),
            "“Checkup” is set to show times, but a farewell is always arranged by phone; set it to call back.",
        ),
    ],
)
def test_what_is_odd_about_a_type_alone_is_told(one: TypeSettings, words: str) -> None:
    assert words_of(set_up(one)) == [words]


def test_a_type_for_new_clients_where_only_existing_ones_book_is_told() -> None:
    practice = msgspec.structs.replace(PRACTICE, who_may_book="existing_clients")
    assert words_of(set_up(checkup(who_may_book="new"), practice=practice)) == [
        "“Checkup” can never be booked: it is for new clients, and only existing clients may book here."
    ]


def test_a_type_that_the_pims_does_not_know_is_told() -> None:
    assert words_of(set_up(has_pims=True)) == [
        "“Checkup” does not exist in the PIMS, so its appointments cannot be written there by themselves."
    ]
    assert words_of(set_up(has_pims=True, mirrored=frozenset({TYPE}))) == []


def test_a_question_of_retired_types_is_told() -> None:
    asked = QuestionSettings(label="Any allergies?", kind="text", appointment_types=[uuid4()])
    assert words_of(set_up(questions={uuid4(): asked})) == [
        "The question “Any allergies?” is never asked: its appointment types are not in use any more."
    ]


def test_closures_on_every_day_are_told() -> None:
    closed = ClosureSettings(name="Moving house", first=date(2026, 3, 1), last=date(2026, 6, 1))
    assert words_of(set_up(closures={uuid4(): closed})) == [
        "Nothing can be booked: the practice is closed on every day until Friday, May 1."
    ]


def test_a_resource_without_any_hours_is_told() -> None:
    room = ResourceSettings(name="Exam room 1", kind="room", roles=["exam room"])
    assert words_of(set_up(resources={VET: resource("veterinarian"), ROOM: room})) == [
        "Exam room 1 counts as open day and night: neither it nor the practice has any hours."
    ]


def test_a_schedule_that_cannot_be_read_is_told() -> None:
    never = Recurring(starts=datetime(2026, 3, 2, 9), duration=timedelta(hours=1), rrule="FREQ=SOMETIMES")  # noqa: DTZ001
    (words,) = words_of(set_up(resources={VET: resource("veterinarian", never)}))
    assert words.startswith("The schedule cannot be read, so nothing can be booked: ")
