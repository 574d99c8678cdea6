"""The question: one practice's schedule and the visit to be placed in it, as one immutable value.

The field names are the public contract (JSON in, see `docs/availability.md`); `booking` builds the same structs from database rows.
Instants are aware, spans half-open, durations `timedelta`s, recurring times local wall-clock times of `timezone`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from msgspec import Struct, field

NOTHING = timedelta(0)


class Problem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every part of the question shares: immutable, named fields, unknown ones refused."""


class Span(Problem):
    """Instants `[start, end)`."""

    start: datetime
    end: datetime


class Recurring(Problem):
    """Local wall-clock time that happens once, or again and again by an RFC 5545 `rrule`.

    `starts` is naive local time; `exdates` remove the occurrences that start on those local dates.
    """

    starts: datetime
    duration: timedelta
    rrule: str | None = None
    exdates: tuple[date, ...] = ()


class Closure(Problem):
    """Local dates, both ends included, on which everything is closed."""

    first: date = field(name="from")
    last: date = field(name="to")


class DayHours(Problem):
    """Open from one local time to another on one date, as `HH:MM`; `to` may be `24:00`."""

    opens: str = field(name="from")
    closes: str = field(name="to")


class Override(Problem):
    """One local date whose hours replace all that the resource's own hours open on it; no hours = off."""

    date: date
    hours: tuple[DayHours, ...] = ()


class Resource(Problem):
    """Anything whose time is used. `hours` left out = always open; `busy` takes one unit of `capacity` each."""

    id: str
    person: str | None = None
    capacity: int = 1
    hours: tuple[Recurring, ...] | None = None
    overrides: tuple[Override, ...] = ()
    busy: tuple[Span, ...] = ()
    block_offs: tuple[Recurring, ...] = ()
    booked_on: dict[date, int] = {}


class Rule(Problem):
    """When which appointment types may use which resources; left-out lists mean all."""

    name: str
    effect: Literal["deny", "reserve"]
    when: tuple[Recurring, ...]
    appointment_types: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    release: timedelta | None = None


class Need(Problem):
    """`count` distinct resources out of `any_of`, for the whole of a step."""

    role: str
    any_of: tuple[str, ...]
    count: int = 1


class Step(Problem):
    """A part of a visit and what it needs."""

    duration: timedelta
    needs: tuple[Need, ...]


class Grid(Problem):
    """Where visits may start: every so often from an anchor, or at listed local times (`starts`, as `HH:MM`)."""

    every: timedelta | None = None
    anchor: Literal["midnight", "opening"] = "midnight"
    offset: timedelta = NOTHING
    starts: tuple[str, ...] | None = None


class Visit(Problem):
    """An appointment type, resolved for one patient."""

    appointment_type: str
    steps: tuple[Step, ...]
    grid: Grid
    buffer_before: timedelta = NOTHING
    buffer_after: timedelta = NOTHING
    grid_for: dict[str, Grid] = {}
    notice: timedelta = NOTHING
    horizon: timedelta | None = None
    max_per_day: int | None = None
    max_per_resource_day: int | None = None
    booked_on: dict[date, int] = {}


class Commitment(Problem):
    """Something sure to happen that must still find its place, starting from `earliest` to `latest`."""

    id: str
    earliest: datetime
    latest: datetime
    steps: tuple[Step, ...]


class Protected(Problem):
    """A visit whose future starts the offer should not destroy."""

    visit: Visit
    weight: int = 1


class OfferPolicy(Problem):
    """`all` that is bookable, or per local day the `best` half by score, never fewer than `at_least`."""

    policy: Literal["all", "best"] = "all"
    at_least: int = 6


class SlotProblem(Problem):
    """The whole question."""

    timezone: str
    now: datetime
    window: Span
    resources: tuple[Resource, ...]
    visits: tuple[Visit, ...]
    closures: tuple[Closure, ...] = ()
    hours: tuple[Recurring, ...] | None = None
    rules: tuple[Rule, ...] = ()
    arrangement: Literal["back_to_back", "together"] = "back_to_back"
    same_roles: tuple[str, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    protect: tuple[Protected, ...] = ()
    offer: OfferPolicy = OfferPolicy()
