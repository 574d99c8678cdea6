"""The same promises in eight zones, on both clock changes of those that have them, by day and by night."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from availability import solve
from availability.problem import Closure, Grid, Recurring, Resource, SlotProblem
from availability.spans import Span
from tests.availability import oracle
from tests.availability.monday import change, exam, hours, minutes, need, step

CHANGES = {
    "New York, spring": ("America/New_York", date(2026, 3, 8), 60),
    "New York, autumn": ("America/New_York", date(2026, 11, 1), -60),
    "Berlin, spring": ("Europe/Berlin", date(2026, 3, 29), 60),
    "Berlin, autumn": ("Europe/Berlin", date(2026, 10, 25), -60),
    "Sydney, spring": ("Australia/Sydney", date(2026, 10, 4), 60),
    "Sydney, autumn": ("Australia/Sydney", date(2026, 4, 5), -60),
    "São Paulo, spring": ("America/Sao_Paulo", date(2018, 11, 4), 60),
    "São Paulo, autumn": ("America/Sao_Paulo", date(2018, 2, 17), -60),
    "São Paulo, no longer": ("America/Sao_Paulo", date(2026, 11, 1), 0),
    "Lord Howe, spring": ("Australia/Lord_Howe", date(2026, 10, 4), 30),
    "Lord Howe, autumn": ("Australia/Lord_Howe", date(2026, 4, 5), -30),
    "Kolkata": ("Asia/Kolkata", date(2026, 3, 29), 0),
    "Kathmandu": ("Asia/Kathmandu", date(2026, 3, 29), 0),
    "UTC": ("UTC", date(2026, 3, 29), 0),
}
"""A zone, a date, and how many minutes that date lacks."""

SHIFTS = {
    "morning": ("08:00", hours(4)),
    "afternoon": ("13:30", hours(5)),
    "overnight": ("20:00", hours(12)),
    "after midnight": ("00:30", hours(4)),
    "half past one to half past two": ("01:30", hours(1)),
    "all day": ("00:00", hours(24)),
}

each_change = pytest.mark.parametrize(("zone", "day", "lacking"), CHANGES.values(), ids=CHANGES.keys())
each_shift = pytest.mark.parametrize(("opens", "length"), SHIFTS.values(), ids=SHIFTS.keys())


def at(zone: str, day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def around(zone: str, day: date, opens: str, length: timedelta, grid: Grid) -> SlotProblem:
    """Three days around the change, with the same hours on each."""
    first = day - timedelta(days=7)
    shift = Recurring(starts=datetime.fromisoformat(f"{first}T{opens}"), duration=length, rrule="FREQ=DAILY")
    start = at(zone, day - timedelta(days=1), "00:00")
    return SlotProblem(
        timezone=zone,
        now=start - hours(48),
        window=Span(start=start, end=at(zone, day + timedelta(days=2), "00:00")),
        resources=(Resource(id="dr-lee", hours=(shift,)),),
        visits=(exam(step(30, need("dr-lee")), grid=grid),),
    )


def local_starts(problem: SlotProblem, day: date) -> list[str]:
    zone = ZoneInfo(problem.timezone)
    found = [slot.start.astimezone(zone) for slot in solve(problem).slots]
    return [f"{each:%H:%M}" + "+" * each.fold for each in found if each.date() == day]


@each_change
@each_shift
@pytest.mark.parametrize(
    "grid",
    [
        Grid(every=minutes(15)),
        Grid(every=minutes(25), anchor="opening"),
        Grid(starts=("00:10", "02:15", "09:00", "23:30")),
    ],
    ids=["from midnight", "from opening", "listed"],
)
def test_the_engine_and_the_oracle_agree_around_the_change(
    zone: str, day: date, lacking: int, opens: str, length: timedelta, grid: Grid
) -> None:
    problem = around(zone, day, opens, length, grid)
    assert [slot.start for slot in solve(problem).slots] == oracle.bookable_starts(problem)


@each_change
def test_the_morning_has_the_same_local_starts_every_day(zone: str, day: date, lacking: int) -> None:
    problem = around(zone, day, "08:00", hours(2), Grid(every=minutes(30)))
    for each in (day - timedelta(days=1), day, day + timedelta(days=1)):
        assert local_starts(problem, each) == ["08:00", "08:30", "09:00", "09:30"]


@each_change
def test_the_afternoon_ends_at_the_same_local_time_every_day(zone: str, day: date, lacking: int) -> None:
    problem = around(zone, day, "13:30", hours(4), Grid(every=minutes(30)))
    for each in (day - timedelta(days=1), day, day + timedelta(days=1)):
        assert local_starts(problem, each)[-1] == "17:00"


@each_change
def test_a_night_that_crosses_the_change_is_longer_or_shorter_by_it(zone: str, day: date, lacking: int) -> None:
    """A visit as long as the night fits exactly, and one a minute longer does not."""
    before = day if zone == "America/Sao_Paulo" and lacking < 0 else day - timedelta(days=1)
    elapsed = 12 * 60 - lacking
    problem = around(zone, day, "20:00", hours(12), Grid(starts=("20:00",)))

    def nights(length: int) -> list[date]:
        asked = change(problem, visits=(exam(step(length, need("dr-lee")), grid=Grid(starts=("20:00",))),))
        return [slot.start.astimezone(ZoneInfo(zone)).date() for slot in solve(asked).slots]

    assert before in nights(elapsed)
    assert before not in nights(elapsed + 1)


SKIPPED = [name for name, (_, _, lacking) in CHANGES.items() if lacking > 0 and not name.startswith("São Paulo")]
REPEATED = [name for name, (_, _, lacking) in CHANGES.items() if lacking < 0 and not name.startswith("São Paulo")]


@pytest.mark.parametrize("place", SKIPPED)
def test_a_time_that_does_not_exist_is_moved_forward_by_the_gap(place: str) -> None:
    zone, day, gap = CHANGES[place]
    problem = around(zone, day, "00:00", hours(24), Grid(starts=("02:10",)))
    assert local_starts(problem, day) == [f"{2 + (10 + gap) // 60:02}:{(10 + gap) % 60:02}"]
    assert local_starts(problem, day + timedelta(days=1)) == ["02:10"]


@pytest.mark.parametrize("place", REPEATED)
def test_a_time_that_occurs_twice_means_its_first_occurrence(place: str) -> None:
    zone, day, _ = CHANGES[place]
    clock = {"America/New_York": "01:50", "Europe/Berlin": "02:50"}.get(
        zone, "02:50" if zone.endswith("Sydney") else "01:50"
    )
    problem = around(zone, day, "00:00", hours(24), Grid(starts=(clock,)))
    (found,) = [s.start for s in solve(problem).slots if s.start.astimezone(ZoneInfo(zone)).date() == day]
    twice = found.astimezone(ZoneInfo(zone))
    assert twice.fold == 0
    assert twice.replace(fold=1).utcoffset() != twice.utcoffset()
    assert f"{twice:%H:%M}" == clock


def test_a_day_that_begins_at_one_oclock_has_no_time_before_it() -> None:
    problem = around("America/Sao_Paulo", date(2018, 11, 4), "00:00", hours(24), Grid(every=minutes(30)))
    assert local_starts(problem, date(2018, 11, 4))[:2] == ["01:00", "01:30"]


def test_a_day_whose_last_hour_is_repeated_offers_it_once() -> None:
    problem = around("America/Sao_Paulo", date(2018, 2, 17), "00:00", hours(24), Grid(every=minutes(30)))
    assert local_starts(problem, date(2018, 2, 17))[-2:] == ["23:00", "23:30"]
    assert local_starts(problem, date(2018, 2, 18))[0] == "00:00"


def test_weekdays_are_local_weekdays() -> None:
    """Monday 08:00 in Sydney is Sunday in UTC."""
    monday = Recurring(
        starts=datetime.fromisoformat("2026-03-02T08:00"), duration=hours(1), rrule="FREQ=WEEKLY;BYDAY=MO"
    )
    problem = around("Australia/Sydney", date(2026, 3, 2), "08:00", hours(1), Grid(every=minutes(30)))
    problem = change(problem, resources=(Resource(id="dr-lee", hours=(monday,)),))
    assert [f"{slot.start:%a %H:%M}" for slot in solve(problem).slots] == ["Sun 21:00", "Sun 21:30"]


@pytest.mark.parametrize(("zone", "utc"), [("Asia/Kolkata", "03:30"), ("Asia/Kathmandu", "03:15"), ("UTC", "09:00")])
def test_nine_oclock_in_zones_of_odd_offsets(zone: str, utc: str) -> None:
    problem = around(zone, date(2026, 5, 4), "09:00", minutes(30), Grid(every=minutes(30)))
    assert {f"{slot.start:%H:%M}" for slot in solve(problem).slots} == {utc}


@each_change
def test_a_closure_is_the_whole_local_day(zone: str, day: date, lacking: int) -> None:
    problem = around(zone, day, "00:00", hours(24), Grid(every=minutes(30)))
    closed = change(problem, closures=(Closure(first=day, last=day),))
    offered = {slot.start.astimezone(ZoneInfo(zone)).date() for slot in solve(closed).slots}
    assert offered == {day - timedelta(days=1), day + timedelta(days=1)}
    assert [slot.start for slot in solve(closed).slots] == oracle.bookable_starts(closed)
