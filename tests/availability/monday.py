"""One Monday at one practice in New York, to change a field at a time.

Dr. Lee is open from 09:00 to 12:00 on weekdays; an exam takes 30 minutes and starts on the hour or the half. `starts`
asks the engine and the oracle, demands that they agree, and answers in local time.
"""

# ruff: noqa: ANN401 - fields of every type are handed on

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from availability import Busy, Span, solve
from availability.answer import Answer, Slot
from availability.problem import (
    Commitment,
    Grid,
    Need,
    Recurring,
    Resource,
    Rule,
    SlotProblem,
    Step,
    Visit,
)
from tests.availability.oracle import bookable_starts

NEW_YORK = "America/New_York"
DAY = date(2026, 3, 2)
ALL_MORNING = ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"]


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def wall(text: str) -> datetime:
    """Local wall-clock time: of that Monday where no date is given."""
    return datetime.fromisoformat(text if "T" in text else f"{DAY}T{text}")


def local(text: str, zone: str = NEW_YORK) -> datetime:
    """`09:00` that Monday, or `2026-03-08T09:00` (first occurrence), as an instant."""
    return wall(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def span(start: str, end: str) -> Span:
    return Span(start=local(start), end=local(end))


def once(start: str, end: str) -> Recurring:
    """Local time that happens once, given by its two wall-clock ends."""
    return Recurring(starts=wall(start), duration=wall(end) - wall(start))


def weekdays(start: str = "09:00", length: timedelta = timedelta(hours=3)) -> tuple[Recurring, ...]:
    return (Recurring(starts=wall(f"2026-01-05T{start}"), duration=length, rrule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),)


def resource(identifier: str = "dr-lee", **changes: Any) -> Resource:
    return room(identifier, **{"hours": weekdays(), **changes})


def room(identifier: str = "room", **changes: Any) -> Resource:
    return Resource(id=identifier, **{**changes, "busy": Busy.of(changes.get("busy", ()))})


def need(*any_of: str, role: str = "veterinarian", count: int = 1) -> Need:
    return Need(role=role, any_of=any_of or ("dr-lee",), count=count)


def step(length: int, *needs: Need) -> Step:
    return Step(duration=minutes(length), needs=needs or (need(),))


def exam(*steps: Step, **changes: Any) -> Visit:
    defaults = {"appointment_type": "exam", "steps": steps or (step(30),), "grid": Grid(every=minutes(30))}
    return Visit(**{**defaults, **changes})


def rule(effect: str, start: str = "10:00", end: str = "11:00", **changes: Any) -> Rule:
    return Rule(**{"name": "a rule", "effect": effect, "when": (once(start, end),), **changes})


def floating(identifier: str, earliest: str, latest: str, *steps: Step) -> Commitment:
    return Commitment(id=identifier, earliest=local(earliest), latest=local(latest), steps=steps or (step(30),))


def question(*resources: Resource, **changes: Any) -> SlotProblem:
    defaults: dict[str, Any] = {
        "timezone": NEW_YORK,
        "now": local("2026-03-01T12:00"),
        "window": span("00:00", "2026-03-03T00:00"),
        "resources": resources or (resource(),),
        "visits": (exam(),),
    }
    if "visit" in changes:
        changes["visits"] = (changes.pop("visit"),)
    return SlotProblem(**{**defaults, **changes})


def change(problem: SlotProblem, **fields: Any) -> SlotProblem:
    return msgspec.structs.replace(problem, **fields)


def answer(problem: SlotProblem) -> Answer:
    """The engine's answer, on whose starts the oracle agrees."""
    found = solve(problem)
    assert [slot.start for slot in found.slots] == bookable_starts(problem)
    return found


def starts(problem: SlotProblem) -> list[str]:
    """Local `HH:MM`; with the month and day in front where that is not the Monday, and `+` on a second occurrence."""
    zone = ZoneInfo(problem.timezone)
    return [clock(slot.start.astimezone(zone)) for slot in answer(problem).slots]


def clock(when: datetime) -> str:
    text = f"{when:%H:%M}" if when.date() == DAY else f"{when:%m-%d %H:%M}"
    return text + "+" * when.fold


def the_slot(problem: SlotProblem, at: str) -> Slot:
    return next(slot for slot in answer(problem).slots if slot.start == local(at))


def serving(problem: SlotProblem, at: str, role: str = "veterinarian") -> list[str]:
    resources = the_slot(problem, at).resources
    assert isinstance(resources, dict)
    return resources[role]
