"""How what stands in a calendar reads: read by the adapter's own functions, without a server."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pims_adapters.caldav.events import Stored, busy, read
from pims_adapters.caldav.schedule import Horizon, Records, records_of
from pims_adapters.contract import Appointment, BlockOff, RecurringTime

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 26, 15, tzinfo=UTC)
ODD_ZONE = (
    "BEGIN:VTIMEZONE", "TZID:Our Clock",
    "BEGIN:STANDARD", "DTSTART:19701101T020000", "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500",
    "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU", "END:STANDARD",
    "BEGIN:DAYLIGHT", "DTSTART:19700308T020000", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400",
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", "END:DAYLIGHT",
    "END:VTIMEZONE",
)  # fmt: skip
WEEKLY_LUNCH = (
    "DTSTART;TZID=America/New_York:20261201T120000",
    "DTEND;TZID=America/New_York:20261201T130000",
    "RRULE:FREQ=WEEKLY;BYDAY=TU",
)


def local(*parts: int) -> datetime:
    """Return a wall-clock time."""
    year, month, day, hour, minute = (*parts, 0, 0)[:5]
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001


def text_of(*events: tuple[str, ...], zones: tuple[str, ...] = ()) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *zones]
    for event in events:
        lines += ["BEGIN:VEVENT", "UID:one", "DTSTAMP:20261126T090000Z", "SUMMARY:Busy", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def stored(*events: tuple[str, ...], zones: tuple[str, ...] = ()) -> Stored:
    found = read("dr-lee", "one.ics", '"1"', text_of(*events, zones=zones), NEW_YORK)
    assert found is not None
    return found


def records(*events: tuple[str, ...], zones: tuple[str, ...] = ()) -> Records:
    return records_of(stored(*events, zones=zones), Horizon(NEW_YORK, NOW))


def times(*events: tuple[str, ...], day: str, zones: tuple[str, ...] = ()) -> list[str]:
    """Return which local times the event takes on a local day."""
    begin = datetime.fromisoformat(day).replace(tzinfo=NEW_YORK)
    spans = busy(stored(*events, zones=zones), begin, begin + timedelta(days=1))
    return sorted(f"{a.astimezone(NEW_YORK):%H:%M}-{b.astimezone(NEW_YORK):%H:%M}" for a, b in spans)


@pytest.mark.parametrize(
    ("lines", "start"),
    [
        (("DTSTART:20261201T150000Z", "DTEND:20261201T153000Z"), "2026-12-01T15:00+00:00"),
        (("DTSTART;TZID=Europe/Paris:20261201T160000", "DURATION:PT30M"), "2026-12-01T15:00+00:00"),
        (("DTSTART:20261201T100000", "DTEND:20261201T103000"), "2026-12-01T15:00+00:00"),  # floating
        (("DTSTART;TZID=Our Clock:20261201T100000", "DURATION:PT30M"), "2026-12-01T15:00+00:00"),
    ],
)
def test_one_time_is_an_appointment_on_whatever_clock(lines: tuple[str, ...], start: str) -> None:
    main = records(lines, zones=ODD_ZONE).main
    assert isinstance(main, Appointment)
    assert main.start == datetime.fromisoformat(start)
    assert main.end - main.start == timedelta(minutes=30)
    assert (main.resources, main.description, main.status) == (("dr-lee",), "Busy", "booked")


def test_whole_days_and_long_times_are_block_offs() -> None:
    holiday = records(("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227")).main
    assert isinstance(holiday, BlockOff)
    assert holiday.time == RecurringTime(starts=local(2026, 12, 24), duration=timedelta(days=3))
    away = records(("DTSTART:20261201T150000Z", "DTEND:20261204T220000Z")).main
    assert isinstance(away, BlockOff)
    assert away.time.starts == local(2026, 12, 1, 10)


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20261201T150000Z", "DTEND:20261201T153000Z", "TRANSP:TRANSPARENT"),
        ("DTSTART;VALUE=DATE:20261201", "TRANSP:TRANSPARENT"),
        ("DTSTART;VALUE=DATE:20261201", "STATUS:CANCELLED"),
        (*WEEKLY_LUNCH, "STATUS:CANCELLED"),
        (*WEEKLY_LUNCH, "TRANSP:TRANSPARENT"),
        ("DTSTART:20261201T150000Z",),  # no length
        ("DTSTART:20261201T150000Z", "DTEND:20261201T140000Z"),
        ("DTSTART:20260901T150000Z", "DTEND:20260901T153000Z"),  # long past
        ("DTSTART:20250901T150000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10"),
        ("DTSTART:20250901T150000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;UNTIL=20251001T000000Z"),
    ],
)
def test_what_takes_no_time_is_no_record(lines: tuple[str, ...]) -> None:
    assert (records(lines).main, records(lines).parts) == (None, [])


def test_a_cancelled_time_says_so() -> None:
    main = records(("DTSTART:20261201T150000Z", "DTEND:20261201T153000Z", "STATUS:CANCELLED")).main
    assert isinstance(main, Appointment)
    assert main.status == "cancelled"


@pytest.mark.parametrize("zone", ["America/New_York", "Our Clock"])
def test_a_series_on_our_clock_is_one_block_off_with_its_rule(zone: str) -> None:
    lines = tuple(line.replace("America/New_York", zone) for line in WEEKLY_LUNCH)
    found = records((*lines, f"EXDATE;TZID={zone}:20261208T120000"), zones=ODD_ZONE)
    assert isinstance(found.main, BlockOff)
    assert found.main.time == RecurringTime(
        starts=local(2026, 12, 1, 12),
        duration=timedelta(hours=1),
        rrule="FREQ=WEEKLY;BYDAY=TU",
        exdates=(date(2026, 12, 8),),
    )
    assert (found.parts, found.expanded) == ([], False)


def test_an_end_in_utc_becomes_the_same_instant_on_our_clock() -> None:
    lines = (*WEEKLY_LUNCH[:2], "RRULE:FREQ=WEEKLY;UNTIL=20261216T045959Z")
    main = records(lines).main
    assert isinstance(main, BlockOff)
    assert main.time.rrule == "FREQ=WEEKLY;UNTIL=20261215T235959"
    assert times(lines, day="2026-12-15") == ["12:00-13:00"]
    assert times(lines, day="2026-12-22") == []


def test_occurrences_that_were_moved_cancelled_and_added_stand_for_themselves() -> None:
    moved = (
        "RECURRENCE-ID;TZID=America/New_York:20261208T120000",
        "DTSTART;TZID=America/New_York:20261208T140000",
        "DTEND;TZID=America/New_York:20261208T153000",
    )
    cancelled = (
        "RECURRENCE-ID;TZID=America/New_York:20261215T120000",
        "DTSTART;TZID=America/New_York:20261215T120000",
        "DURATION:PT1H",
        "STATUS:CANCELLED",
    )
    series = (*WEEKLY_LUNCH, "RDATE;TZID=America/New_York:20261210T090000")
    found = records(series, moved, cancelled)
    assert isinstance(found.main, BlockOff)
    assert found.main.time.exdates == (date(2026, 12, 8), date(2026, 12, 15))
    assert [(part.pims_id, part.time.starts, part.time.duration) for part in found.parts] == [
        ("dr-lee/one.ics#0", local(2026, 12, 8, 14), timedelta(minutes=90)),
        ("dr-lee/one.ics#1", local(2026, 12, 10, 9), timedelta(hours=1)),
    ]
    days = {day: times(series, moved, cancelled, day=f"2026-12-{day}") for day in ("01", "08", "10", "15", "22")}
    assert days == {
        "01": ["12:00-13:00"],
        "08": ["14:00-15:30"],
        "10": ["09:00-10:00"],
        "15": [],
        "22": ["12:00-13:00"],
    }


def test_a_series_on_another_clock_is_followed_one_by_one_across_the_change_of_the_hour() -> None:
    found = records(("DTSTART:20261020T160000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=TU"))
    assert found.main is None
    assert found.expanded
    assert found.parts[0].time.starts == local(2026, 10, 27, 12)
    assert found.parts[1].time.starts == local(2026, 11, 3, 11)
    assert len(found.parts) == 62  # from a month ago to a year ahead


def test_a_daily_series_keeps_its_wall_clock_hour_in_spring() -> None:
    lines = ("DTSTART;TZID=America/New_York:20270301T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    assert times(lines, day="2027-03-13") == times(lines, day="2027-03-15") == ["09:00-10:00"]


def test_all_day_series_take_their_days() -> None:
    lines = ("DTSTART;VALUE=DATE:20261225", "RRULE:FREQ=YEARLY")
    assert times(lines, day="2027-12-25") == ["00:00-00:00"]
    assert times(lines, day="2027-12-26") == []


@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=DAILY;BYHOUR=9,15",
        "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=NEVER",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "EXDATE:soon",
    ],
)
def test_a_rule_that_cannot_be_followed_closes_all_time_from_its_start(rule: str) -> None:
    lines = ("DTSTART;TZID=America/New_York:20261201T090000", "DURATION:PT1H", rule)
    main = records(lines).main
    assert isinstance(main, BlockOff)
    assert main.time == RecurringTime(starts=local(2026, 12, 1), duration=timedelta(days=1), rrule="FREQ=DAILY")
    assert times(lines, day="2027-06-01") == ["00:00-00:00"]
    assert times(lines, day="2026-11-30") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        text_of(()),
        text_of(("DTSTART:soon",)),
        "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
    ],
)
def test_what_is_no_event_is_left_out(text: str) -> None:
    assert read("dr-lee", "one.ics", None, text, NEW_YORK) is None


def test_only_an_occurrence_of_somebody_elses_series_takes_its_time() -> None:
    invited = ("RECURRENCE-ID:20261208T150000Z", "DTSTART:20261208T150000Z", "DURATION:PT1H")
    found = records(invited)
    assert found.main is None
    assert [part.time.starts for part in found.parts] == [local(2026, 12, 8, 10)]
