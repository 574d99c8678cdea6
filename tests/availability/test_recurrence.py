"""Rules that are counted out are equal to dateutil's; the others are dateutil's, within bounds."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from availability.problem import Recurring
from availability.recurrence import RecurrenceError, moved_on, occurrences
from tests.availability.monday import wall
from tests.availability.strategies import examples

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2026, 3, 1), date(2026, 4, 15)
MONDAY = wall("2026-03-02T09:00")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def each(rule: str, starts: datetime = MONDAY) -> tuple[datetime, ...]:
    return occurrences(Recurring(starts=starts, duration=timedelta(hours=1), rrule=rule), NEW_YORK, FIRST, LAST)


@st.composite
def plain_rules(draw: st.DrawFn) -> str:
    parts = [f"FREQ={draw(st.sampled_from(['DAILY', 'WEEKLY']))}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if days := draw(st.lists(st.sampled_from(DAYS), unique=True)):
        parts.append(f"BYDAY={','.join(days)}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(DAYS))}")
    if draw(st.booleans()):
        until = wall("2026-03-01T00:00") + timedelta(hours=draw(st.integers(-100, 1500)))
        parts.append(f"UNTIL={until:%Y%m%dT%H%M%S}")
    return ";".join(parts)


@examples(300)
@given(plain_rules(), st.integers(-400, 30))
def test_a_rule_that_is_counted_out_is_dateutils(rule: str, before: int) -> None:
    starts = wall("2026-03-02T09:30") + timedelta(days=before)
    expected = rrulestr(rule, dtstart=starts).between(wall("2026-03-01T00:00"), wall("2026-04-16T00:00"), inc=True)
    assert list(each(rule, starts)) == expected


@examples(300)
@given(plain_rules(), st.integers(-400, 30))
def test_a_rule_moved_on_is_the_same_rule(rule: str, before: int) -> None:
    starts = wall("2026-03-02T09:30") + timedelta(days=before)
    later = moved_on(Recurring(starts=starts, duration=timedelta(hours=1), rrule=rule), FIRST)
    assert occurrences(later, NEW_YORK, FIRST, LAST) == each(rule, starts)


def test_rules_that_began_in_different_years_are_equal_once_moved_on() -> None:
    weekdays = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    moved = {
        moved_on(Recurring(starts=wall(f"{year}-05-06T08:00"), duration=timedelta(hours=8), rrule=weekdays), FIRST)
        for year in (1999, 2020, 2025)
    }
    assert len(moved) == 1


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR", wall("2026-03-27T09:00")),
        ("FREQ=MONTHLY;BYMONTHDAY=15", wall("2026-03-15T09:00")),
        ("FREQ=YEARLY;BYYEARDAY=75", wall("2026-03-16T09:00")),
        ("FREQ=WEEKLY;COUNT=2", wall("2026-03-02T09:00")),
        ("FREQ=DAILY;BYHOUR=7,9", wall("2026-03-02T09:00")),
        ("FREQ=SECONDLY;COUNT=3", wall("2026-03-02T09:00")),
    ],
)
def test_rules_of_every_kind_are_expanded(rule: str, first: datetime) -> None:
    assert each(rule)[0] == first


def test_until_in_utc_is_turned_into_local_time() -> None:
    assert each("FREQ=DAILY;UNTIL=20260303T140000Z")[-1] == wall("2026-03-03T09:00")
    assert each("FREQ=DAILY;UNTIL=20260303T135959Z")[-1] == wall("2026-03-02T09:00")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MINUTELY",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;COUNT=999999",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9;BYMINUTE=" + ",".join(map(str, range(60))) + ";BYSECOND=1,2,3,4",
        "FREQ=FORTNIGHTLY",
        "INTERVAL=2",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20260303T000000",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=HOURLY;BYHOUR=25",
        "FREQ=DAILY\nRDATE:20260301T000000",
    ],
)
def test_what_is_no_rule_or_never_ends_is_refused_at_once(rule: str) -> None:
    begin = perf_counter()
    with pytest.raises(RecurrenceError):
        each(rule)
    assert perf_counter() - begin < 5


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"])
def test_a_rule_that_never_happens_ends_with_the_window(rule: str) -> None:
    begin = perf_counter()
    assert each(rule) == ()
    assert perf_counter() - begin < 5


def test_an_exception_date_takes_out_the_occurrence_that_starts_on_it() -> None:
    recurring = Recurring(
        starts=wall("2026-03-02T09:00"), duration=timedelta(hours=1), rrule="FREQ=DAILY", exdates=(date(2026, 3, 3),)
    )
    assert date(2026, 3, 3) not in {start.date() for start in occurrences(recurring, NEW_YORK, FIRST, LAST)}
