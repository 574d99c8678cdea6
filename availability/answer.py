"""The answer: the starts that can be booked, each with one assignment of resources that works."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

Assignment = dict[str, list[str]]
"""Role → ids of the resources that serve it."""


class Slot(Struct, frozen=True, gc=False):
    """A bookable start (UTC), its end, and a witness: one assignment, or for several visits one each."""

    start: datetime
    end: datetime
    resources: Assignment | list[Assignment]
    score: int = 0


class Answer(Struct, frozen=True, kw_only=True):
    """Every bookable start, sorted; where there is none, the first one after the window (`next`)."""

    slots: list[Slot]
    next: datetime | None = None
    warnings: list[str] = []


Kind = Literal[
    "grid",
    "notice",
    "horizon",
    "closure",
    "practice_hours",
    "hours",
    "block_off",
    "busy",
    "rule",
    "cap",
    "commitment",
    "capacity",
]


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that stands in the way of a start, and what it is about."""

    kind: Kind
    resource: str | None = None
    rule: str | None = None
    commitment: str | None = None
    date: date | None = None
    start: datetime | None = None
    end: datetime | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """Whether a start can be booked; if not, up to three smallest sets of facts whose removal would open it."""

    bookable: bool
    blockers: list[list[Fact]] = []


class Occupied(Struct, frozen=True, kw_only=True):
    """One resource's time that a booked slot takes, buffers included, in UTC."""

    resource: str
    start: datetime
    end: datetime
