"""Small but nasty problems: few resources, short windows around clock changes, durations coarse enough for brute force.

`examples(n)` is how every property says how often it is tried; `VETSLOT_PROVE=1` (`make prove`) tries fifty times as
often, at random.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from availability.problem import (
    Closure,
    Commitment,
    DayHours,
    Grid,
    Need,
    OfferPolicy,
    Override,
    Protected,
    Recurring,
    Resource,
    Rule,
    SlotProblem,
    Step,
    Visit,
)
from availability.spans import Busy, Span

PROVE = os.environ.get("VETSLOT_PROVE") == "1"


def examples(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=count * 50 if PROVE else count,
        deadline=None,
        derandomize=not PROVE,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


PLACES = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/New_York", date(2026, 6, 15)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Australia/Sydney", date(2026, 4, 5)),
    ("Australia/Sydney", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Asia/Kolkata", date(2026, 5, 4)),
    ("Asia/Kathmandu", date(2026, 5, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("UTC", date(2026, 12, 31)),
]
"""Zones and the local days on which their clocks change, and some on which they do not."""

IDS = ("a", "b", "c", "d")
TYPES = ("checkup", "surgery", "vaccination")
ROLES = ("veterinarian", "technician", "room")


def at(zone: str, wall: datetime) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def one_in(draw: DrawFn, n: int) -> bool:
    """Rarely true, and false where Hypothesis simplifies."""
    return draw(st.integers(0, n - 1)) == n - 1


@st.composite
def recurrings(draw: DrawFn, day: date) -> Recurring:
    """Local time that falls on or near the day, by one of several spellings."""
    begins = datetime.combine(day, time()) + minutes(15 * draw(st.integers(-8, 80)))
    duration = minutes(15 * draw(st.sampled_from([1, 2, 4, 10, 48])))
    rrule: str | None = None
    exdates: tuple[date, ...] = ()
    match draw(st.integers(0, 6)):
        case 1:
            begins, rrule = begins - timedelta(days=3), "FREQ=DAILY"
        case 2:
            begins, rrule = begins - timedelta(days=14), "FREQ=WEEKLY"
        case 3:
            begins, rrule = begins - timedelta(days=2), "FREQ=DAILY;COUNT=4"
        case 4:
            until = datetime.combine(day, time(12)).strftime("%Y%m%dT%H%M%S")
            begins, rrule = begins - timedelta(days=4), f"FREQ=DAILY;INTERVAL=2;UNTIL={until}"
        case 5:
            begins, rrule = begins - timedelta(days=3), "FREQ=DAILY"
            exdates = (day + timedelta(days=draw(st.integers(-1, 1))),)
        case 6 if duration > minutes(60):
            duration, rrule = minutes(45), "FREQ=HOURLY;INTERVAL=2;COUNT=12"
    if one_in(draw, 10):
        begins, duration = begins.replace(second=30), duration - timedelta(seconds=20)
    return Recurring(starts=begins, duration=duration, rrule=rrule, exdates=exdates)


@st.composite
def wide_hours(draw: DrawFn, day: date) -> tuple[Recurring, ...]:
    """Mostly open, so that there is something to offer: morning, afternoon, all day, or overnight."""
    begin, hours = draw(st.sampled_from([(0, 24), (0, 24), (0, 12), (7, 12), (12, 12), (20, 10), (1, 3)]))
    starts = datetime.combine(day - timedelta(days=2), time(begin)) + minutes(draw(st.sampled_from([0, 0, 10, 30])))
    daily = Recurring(starts=starts, duration=timedelta(hours=hours), rrule="FREQ=DAILY")
    if one_in(draw, 4):
        return (daily, draw(recurrings(day)))
    return (daily,)


@st.composite
def spans(draw: DrawFn, zone: str, day: date, longest: int = 24) -> Span:
    """A span of five-minute steps near the day, now and then with odd seconds."""
    start = at(zone, datetime.combine(day, time())) + minutes(5 * draw(st.integers(-12, 200)))
    end = start + minutes(5 * draw(st.integers(1, longest)))
    if one_in(draw, 8):
        start, end = start + timedelta(seconds=40), end - timedelta(seconds=50)
    return Span(start=start, end=end)


@st.composite
def overrides(draw: DrawFn, day: date) -> Override:
    cuts = sorted(draw(st.lists(st.integers(0, 96), min_size=0, max_size=4, unique=True)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    hours = tuple(DayHours(opens=clock(15 * a), closes=clock(15 * b)) for a, b in pairs)
    return Override(date=day + timedelta(days=draw(st.integers(-1, 1))), hours=hours)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def resources(draw: DrawFn, zone: str, day: date, identifier: str) -> Resource:
    return Resource(
        id=identifier,
        person=draw(st.sampled_from([None, None, None, None, "lee"])),
        capacity=draw(st.sampled_from([1, 1, 1, 1, 2, 3])),
        hours=draw(st.one_of(st.none(), wide_hours(day), wide_hours(day))),
        overrides=(draw(overrides(day)),) if one_in(draw, 5) else (),
        busy=Busy.of(draw(st.lists(spans(zone, day), max_size=4))),
        block_offs=(draw(recurrings(day)),) if one_in(draw, 5) else (),
        booked_on={day: draw(st.integers(0, 2))} if one_in(draw, 5) else {},
    )


@st.composite
def rules(draw: DrawFn, day: date, name: str) -> Rule:
    effect: Literal["deny", "reserve"] = draw(st.sampled_from(["deny", "reserve"]))
    return Rule(
        name=name,
        effect=effect,
        when=(draw(recurrings(day)),),
        appointment_types=draw(st.one_of(st.none(), some(TYPES))),
        resources=draw(st.one_of(st.none(), some(IDS[:1]))),
        release=minutes(60 * draw(st.integers(0, 30))) if effect == "reserve" and one_in(draw, 2) else None,
    )


def some(values: tuple[str, ...], least: int = 1) -> SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=len(values), unique=True).map(tuple)


@st.composite
def grids(draw: DrawFn) -> Grid:
    match draw(st.integers(0, 3)):
        case 0:
            return Grid(every=minutes(draw(st.sampled_from([30, 15, 20, 45, 70]))))
        case 1:
            return Grid(every=minutes(30), offset=minutes(draw(st.sampled_from([5, 15, 40]))))
        case 2:
            offset = minutes(draw(st.sampled_from([0, 0, 10])))
            return Grid(every=minutes(draw(st.sampled_from([25, 30, 40]))), anchor="opening", offset=offset)
        case _:
            starts = draw(st.lists(st.integers(0, 95), min_size=1, max_size=12, unique=True))
            return Grid(starts=tuple(clock(15 * n) for n in starts))


@st.composite
def steps(draw: DrawFn, ids: tuple[str, ...], most: int = 2) -> tuple[Step, ...]:
    """Up to `most` steps; a role keeps its count wherever it occurs again, though its candidates may differ."""
    counts: dict[str, int] = {}
    found = []
    for _ in range(draw(st.integers(1, most))):
        needs = []
        for role in draw(some(ROLES[: 1 + (len(ids) > 1)])):
            pool = draw(some(ids))
            count = counts.setdefault(role, 2 if len(pool) > 1 and one_in(draw, 6) else 1)
            if count > len(pool):
                pool = ids
            needs.append(Need(role=role, any_of=pool, count=count))
        found.append(Step(duration=minutes(5 * draw(st.sampled_from([3, 6, 4, 9, 12]))), needs=tuple(needs)))
    return tuple(found)


@st.composite
def visits(draw: DrawFn, ids: tuple[str, ...], day: date, kind: str, most_steps: int = 2) -> Visit:
    buffers = st.sampled_from([0, 0, 0, 5, 10, 25])
    return Visit(
        appointment_type=kind,
        steps=draw(steps(ids, most_steps)),
        buffer_before=minutes(draw(buffers)),
        buffer_after=minutes(draw(buffers)),
        grid=draw(grids()),
        grid_for={draw(st.sampled_from(ids)): draw(grids())} if one_in(draw, 5) else {},
        notice=minutes(draw(st.sampled_from([0, 0, 0, 0, 30, 61, 60 * 24]))),
        horizon=minutes(draw(st.sampled_from([60 * 40, 60 * 30, 60 * 24, 60 * 4]))),
        max_per_day=draw(st.integers(0, 3)) if one_in(draw, 8) else None,
        max_per_resource_day=draw(st.integers(1, 3)) if one_in(draw, 5) else None,
        booked_on={day: draw(st.integers(0, 2))} if one_in(draw, 4) else {},
    )


@st.composite
def commitments(draw: DrawFn, zone: str, window: Span, ids: tuple[str, ...], name: str) -> Commitment:
    """Near the window; one minute of play or a handful, since each is tried by the oracle."""
    earliest = window.start + minutes(5 * draw(st.integers(-6, 60)))
    latest = earliest + minutes(draw(st.sampled_from([0, 0, 1, 7, 15])))
    return Commitment(id=name, earliest=earliest, latest=latest, steps=draw(steps(ids, 1)))


@st.composite
def problems(
    draw: DrawFn,
    *,
    most_visits: int = 3,
    most_commitments: int = 2,
    most_steps: int = 2,
    most_resources: int = 4,
    protected: bool = False,
    with_rules: bool = True,
    plain: bool = False,
) -> SlotProblem:
    """A problem of one window of 2 to 12 hours; `plain` ones have one visit of one need and nothing coupled."""
    zone, day = draw(st.sampled_from(PLACES))
    ids = IDS[: draw(st.integers(1, most_resources))]
    start = at(zone, datetime.combine(day, time())) + minutes(30 * draw(st.sampled_from([0, 1, 4, 16, 20, 30, -3])))
    window = Span(start=start, end=start + minutes(30 * draw(st.sampled_from([4, 8, 16, 24]))))
    kinds = [draw(st.sampled_from(TYPES))]
    while len(kinds) < most_visits and one_in(draw, 3):
        kinds.append(draw(st.sampled_from(TYPES)))
    booking = tuple(draw(visits(ids, day, kind, 1 if plain else most_steps)) for kind in kinds)
    booking = consistent(booking)
    same_roles = ROLES[:1] if len(booking) > 1 and draw(st.booleans()) else ()
    commitment_count = draw(st.sampled_from([0, 0, *range(most_commitments + 1)]))
    return SlotProblem(
        timezone=zone,
        now=start - minutes(draw(st.sampled_from([0, 300, 1440, 1440, 45, -90]))),
        window=window,
        closures=(Closure(first=day, last=day + timedelta(days=draw(st.integers(0, 1)))),) if one_in(draw, 12) else (),
        hours=draw(wide_hours(day)) if one_in(draw, 3) else None,
        resources=tuple(draw(resources(zone, day, identifier)) for identifier in ids),
        rules=tuple(draw(rules(day, f"rule {n}")) for n in range(draw(st.sampled_from([0, 0, 1, 2]))))
        if with_rules
        else (),
        visits=booking,
        arrangement=draw(st.sampled_from(["back_to_back", "together"])) if len(booking) > 1 else "back_to_back",
        same_roles=same_roles,
        commitments=tuple(draw(commitments(zone, window, ids, f"commitment {n}")) for n in range(commitment_count)),
        protect=(draw(protections(ids, day)),) if protected else (),
        offer=OfferPolicy(),
    )


def consistent(booking: tuple[Visit, ...]) -> tuple[Visit, ...]:
    """One count a role over all visits, since `same_roles` may join them."""
    if len(booking) == 1:
        return booking
    return tuple(
        Visit(
            **{
                **{name: getattr(visit, name) for name in visit.__struct_fields__},
                "steps": tuple(
                    Step(
                        duration=step.duration,
                        needs=tuple(Need(role=need.role, any_of=need.any_of, count=1) for need in step.needs),
                    )
                    for step in visit.steps
                ),
            }
        )
        for visit in booking
    )


@st.composite
def protections(draw: DrawFn, ids: tuple[str, ...], day: date) -> Protected:
    visit = draw(visits(ids, day, draw(st.sampled_from(TYPES)), 1))
    return Protected(visit=visit, weight=draw(st.integers(1, 3)))
