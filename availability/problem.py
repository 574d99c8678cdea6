"""The question: one practice's schedule and the visit to be placed in it, as one immutable value.

The field names are the public contract (JSON in, see `docs/availability.md`); `booking` builds the same structs from
database rows. Instants are aware, spans half-open, durations `timedelta`s, recurring times local wall-clock times of
`timezone`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from availability.spans import Busy, Instant, Span

NOTHING = timedelta(0)
NOTHING_BUSY = Busy()

LocalTime = Annotated[datetime, Meta(tz=False)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Clock = Annotated[str, Meta(max_length=5)]
RuleText = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Problem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every part of the question shares: immutable, named fields, unknown ones refused."""


class Recurring(Problem, frozen=True, kw_only=True):
    """Local wall-clock time that happens once, or again and again by an RFC 5545 `rrule`.

    `starts` is naive local time; `exdates` remove the occurrences that start on those local dates.
    """

    starts: LocalTime
    duration: timedelta
    rrule: RuleText | None = None
    exdates: Annotated[tuple[date, ...], Meta(max_length=2_000)] = ()


class Closure(Problem, frozen=True, kw_only=True):
    """Local dates, both ends included, on which everything is closed."""

    first: date = field(name="from")
    last: date = field(name="to")


class DayHours(Problem, frozen=True, kw_only=True):
    """Open from one local time to another on one date, as `HH:MM`; `to` may be `24:00`."""

    opens: Clock = field(name="from")
    closes: Clock = field(name="to")


class Override(Problem, frozen=True, kw_only=True):
    """One local date whose hours replace all that the resource's own hours open on it; no hours = off."""

    date: date
    hours: Annotated[tuple[DayHours, ...], Meta(max_length=500)] = ()


class Resource(Problem, frozen=True, kw_only=True):
    """Anything whose time is used. `hours` left out = always open; `busy` takes one unit of `capacity` each."""

    id: Name
    person: Name | None = None
    capacity: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1
    hours: Annotated[tuple[Recurring, ...], Meta(max_length=500)] | None = None
    overrides: Annotated[tuple[Override, ...], Meta(max_length=2_000)] = ()
    busy: Busy = NOTHING_BUSY
    block_offs: Annotated[tuple[Recurring, ...], Meta(max_length=2_000)] = ()
    booked_on: dict[date, Count] = {}


class Rule(Problem, frozen=True, kw_only=True):
    """When which appointment types may use which resources; left-out lists mean all."""

    name: Name
    effect: Literal["deny", "reserve"]
    when: Annotated[tuple[Recurring, ...], Meta(max_length=500)]
    appointment_types: Annotated[tuple[str, ...], Meta(max_length=1_000)] | None = None
    resources: Annotated[tuple[str, ...], Meta(max_length=1_000)] | None = None
    release: timedelta | None = None


class Need(Problem, frozen=True, kw_only=True):
    """`count` distinct resources out of `any_of`, for the whole of a step."""

    role: Name
    any_of: Annotated[tuple[str, ...], Meta(max_length=2_000)]
    count: Annotated[int, Meta(ge=1, le=100)] = 1


class Step(Problem, frozen=True, kw_only=True):
    """A part of a visit and what it needs."""

    duration: timedelta
    needs: Annotated[tuple[Need, ...], Meta(max_length=20)]


class Grid(Problem, frozen=True, kw_only=True):
    """Where visits may start: every so often from an anchor, or at listed local times (`starts`, as `HH:MM`)."""

    every: timedelta | None = None
    anchor: Literal["midnight", "opening"] = "midnight"
    offset: timedelta = NOTHING
    starts: Annotated[tuple[Clock, ...], Meta(max_length=1440)] | None = None


class Visit(Problem, frozen=True, kw_only=True):
    """An appointment type, resolved for one patient."""

    appointment_type: Name
    steps: Annotated[tuple[Step, ...], Meta(max_length=50)]
    grid: Grid
    buffer_before: timedelta = NOTHING
    buffer_after: timedelta = NOTHING
    grid_for: dict[str, Grid] = {}
    notice: timedelta = NOTHING
    horizon: timedelta | None = None
    max_per_day: Count | None = None
    max_per_resource_day: Count | None = None
    booked_on: dict[date, Count] = {}


class Commitment(Problem, frozen=True, kw_only=True):
    """Something sure to happen that must still find its place, starting from `earliest` to `latest`."""

    id: Name
    earliest: Instant
    latest: Instant
    steps: Annotated[tuple[Step, ...], Meta(max_length=50)]


class Protected(Problem, frozen=True, kw_only=True):
    """A visit whose future starts the offer should not destroy."""

    visit: Visit
    weight: Count = 1


class OfferPolicy(Problem, frozen=True, kw_only=True):
    """`all` that is bookable, or per local day the `best` half by score, never fewer than `at_least`."""

    policy: Literal["all", "best"] = "all"
    at_least: Count = 6


class SlotProblem(Problem, frozen=True, kw_only=True):
    """The whole question."""

    timezone: Name
    now: Instant
    window: Span
    resources: Annotated[tuple[Resource, ...], Meta(max_length=2_000)]
    visits: Annotated[tuple[Visit, ...], Meta(max_length=12)]
    closures: Annotated[tuple[Closure, ...], Meta(max_length=1_000)] = ()
    hours: Annotated[tuple[Recurring, ...], Meta(max_length=500)] | None = None
    rules: Annotated[tuple[Rule, ...], Meta(max_length=500)] = ()
    arrangement: Literal["back_to_back", "together"] = "back_to_back"
    same_roles: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    commitments: Annotated[tuple[Commitment, ...], Meta(max_length=300)] = ()
    protect: Annotated[tuple[Protected, ...], Meta(max_length=20)] = ()
    offer: OfferPolicy = OfferPolicy()
