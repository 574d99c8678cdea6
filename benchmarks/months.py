"""The practices that are measured: a month with twenty appointments a day and resource. Seeded, always the same."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from availability import Busy, Commitment, Grid, Need, Recurring, Resource, SlotProblem, Span, Step, Visit

ZONE = ZoneInfo("America/New_York")
FIRST = date(2026, 3, 1)
"""The month contains a clock change, on the 8th."""

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
OPENS, CLOSES = time(8), time(18)


def local(day: date, clock: time) -> datetime:
    """As databases and PIMS hand it out: in UTC."""
    return datetime.combine(day, clock, ZONE).astimezone(UTC)


def hours_of(number: int) -> tuple[Recurring, ...]:
    """Ten hours every day, each resource by a recurrence of its own, so that none is expanded for another."""
    starts = datetime.combine(FIRST - DAY * (400 + number), OPENS)
    return (Recurring(starts=starts, duration=timedelta(hours=10), rrule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"),)


def a_full_day(day: date, count: int, chance: random.Random) -> list[Span]:
    """So many appointments of a quarter of an hour or a little more, spread at random over the day without overlap."""
    lengths = [chance.choice((15, 15, 20)) for _ in range(count)]
    spare = max(0, 600 - sum(lengths)) // 5
    gaps = sorted(chance.randint(0, spare) * 5 for _ in lengths)
    begin = local(day, OPENS)
    spans = []
    passed = 0
    for gap, length in zip(gaps, lengths, strict=True):
        start = begin + timedelta(minutes=gap + passed)
        spans.append(Span(start=start, end=start + timedelta(minutes=length)))
        passed += length
    return spans


def pool(name: str, size: int, days: int, per_day: int, seed: int = 3) -> tuple[Resource, ...]:
    return tuple(
        Resource(
            id=f"{name}-{number}",
            hours=hours_of(number),
            busy=Busy.of(
                span
                for day in range(days)
                for span in a_full_day(FIRST + DAY * day, per_day, random.Random(f"{seed} {name} {number} {day}"))
            ),
        )
        for number in range(size)
    )


def visit(*roles: tuple[str, tuple[Resource, ...]], length: int = 30, kind: str = "exam") -> Visit:
    needs = tuple(Need(role=role, any_of=tuple(each.id for each in pool)) for role, pool in roles)
    return Visit(
        appointment_type=kind,
        steps=(Step(duration=timedelta(minutes=length), needs=needs),),
        grid=Grid(every=QUARTER),
    )


def month(*roles: tuple[str, tuple[Resource, ...]], days: int = 30, length: int = 30) -> SlotProblem:
    return SlotProblem(
        timezone=ZONE.key,
        now=local(FIRST - DAY, time(12)),
        window=Span(start=local(FIRST, time()), end=local(FIRST + DAY * days, time())),
        resources=tuple(resource for _, pool in roles for resource in pool),
        visits=(visit(*roles, length=length),),
    )


def any_of(size: int, days: int = 30, per_day: int = 20) -> SlotProblem:
    return month(("veterinarian", pool("vet", size, days, per_day)), days=days)


def four_pools(days: int = 30) -> SlotProblem:
    return month(
        ("veterinarian", pool("vet", 10, days, 20)),
        ("technician", pool("tech", 8, days, 20)),
        ("room", pool("room", 8, days, 20)),
        ("machine", pool("machine", 2, days, 20)),
        days=days,
    )


def with_commitments(days: int, providers: int = 5) -> SlotProblem:
    """Each day three appointments with any veterinarian, and a break of the first that floats from 11 to 14."""
    pooled = pool("vet", providers, days, 20, seed=5)
    problem = month(("veterinarian", pooled), days=days)
    anybody = (Need(role="veterinarian", any_of=tuple(each.id for each in pooled)),)
    commitments = []
    for number in range(days):
        day = FIRST + DAY * number
        chance = random.Random(f"commitments {number}")
        for each in range(3):
            start = local(day, OPENS) + QUARTER * chance.randint(0, 38)
            step = Step(duration=timedelta(minutes=30), needs=anybody)
            commitments.append(Commitment(id=f"any {number}.{each}", earliest=start, latest=start, steps=(step,)))
        lunch = Step(duration=timedelta(minutes=30), needs=(Need(role="veterinarian", any_of=(pooled[0].id,)),))
        earliest, latest = local(day, time(11)), local(day, time(13, 30))
        commitments.append(Commitment(id=f"lunch {number}", earliest=earliest, latest=latest, steps=(lunch,)))
    return SlotProblem(
        **{name: getattr(problem, name) for name in problem.__struct_fields__ if name != "commitments"},
        commitments=tuple(commitments),
    )
