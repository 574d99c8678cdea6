"""The slow oracle: the contract of the slot problem read out minute by minute, to judge the engine by.

No bit masks, no solver, no shortcut: sets of minutes, and every assignment and every place of a commitment tried in
turn. It shares nothing with the engine but the structs. A minute is a whole number of minutes since 1970 in UTC; a use
is one resource for a run of minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, count
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrulestr

from availability.problem import Commitment, Grid, Need, Recurring, Resource, Rule, SlotProblem, Step, Visit
from availability.spans import Busy, Span

DAY = timedelta(days=1)
SEARCH_DAYS = 400
A_LOCAL_DAY = 25 * 60 + 1
"""Minutes: with so many around it, the local day of every start is known as a whole."""


def floor_minute(instant: datetime) -> int:
    return int(instant.timestamp() // 60)


def ceil_minute(instant: datetime) -> int:
    return -int(-instant.timestamp() // 60)


def instant_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def wall_to_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Fold 0 is the first of two occurrences; in a gap it means the offset before it, which moves the time forward."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall_time(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def whole_minutes(duration: timedelta) -> int:
    return -int(-duration.total_seconds() // 60)


def beginnings(recurring: Recurring, zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    """The local times from `first` to `last` at which it begins, exception dates left out."""
    if recurring.rrule is None:
        begins = [recurring.starts]
    else:

        def as_local(until: re.Match[str]) -> str:
            instant = datetime.strptime(until[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            return instant.astimezone(zone).strftime("UNTIL=%Y%m%dT%H%M%S")

        text = re.sub(r"UNTIL=(\d{8}T\d{6})Z", as_local, recurring.rrule)
        begins = rrulestr(text, dtstart=recurring.starts).between(first, last, inc=True)
    return [begin for begin in begins if begin.date() not in recurring.exdates and first <= begin <= last]


@dataclass(frozen=True)
class Use:
    resource: str
    begin: int
    end: int


@dataclass(frozen=True)
class Part:
    """One need of one step at a fixed time: who may serve it, and the buffers that hang on it."""

    role: tuple[object, str]
    any_of: tuple[str, ...]
    count: int
    begin: int
    end: int
    before: int
    after: int
    appointment_type: str | None
    starts: int
    """Start of the visit it belongs to: what a rule's release looks at."""


Chosen = dict[tuple[object, str], tuple[str, ...]]


@dataclass
class Practice:
    """A problem's time from minute `lo` to minute `hi`, spelled out."""

    problem: SlotProblem
    lo: int
    hi: int
    zone: ZoneInfo = field(init=False)
    date_of: dict[int, date] = field(init=False)
    practice_open: set[int] | None = field(init=False)
    open: dict[str, set[int]] = field(init=False)
    blocked: dict[str, set[int]] = field(init=False)
    busy: dict[str, Counter[int]] = field(init=False)
    rules: list[tuple[Rule, set[int]]] = field(init=False)
    by_id: dict[str, Resource] = field(init=False)
    commitments: list[Commitment] = field(init=False)
    warned: list[str] = field(init=False)
    grids: dict[tuple[str, date], set[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        problem = self.problem
        self.zone = ZoneInfo(problem.timezone)
        self.date_of = {m: instant_of(m).astimezone(self.zone).date() for m in range(self.lo, self.hi)}
        closed_dates = {
            closure.first + n * DAY
            for closure in problem.closures
            for n in range((closure.last - closure.first).days + 1)
        }
        not_closed = {m for m, day in self.date_of.items() if day not in closed_dates}
        self.practice_open = None if problem.hours is None else self.minutes_open(problem.hours) & not_closed
        self.by_id = {resource.id: resource for resource in problem.resources}
        self.open = {
            r.id: self.own_hours(r) & (not_closed if self.practice_open is None else self.practice_open)
            for r in problem.resources
        }
        self.blocked = {r.id: self.minutes_touched(r.block_offs) for r in problem.resources}
        self.busy = {self.person(r.id): Counter() for r in problem.resources}
        for resource in problem.resources:
            for span in resource.busy:
                begin, end = max(self.lo, floor_minute(span.start)), min(self.hi, ceil_minute(span.end))
                self.busy[self.person(resource.id)].update(range(begin, end))
        self.rules = [(rule, self.minutes_touched(rule.when)) for rule in problem.rules]
        self.commitments, self.warned = [], []
        for commitment in problem.commitments:
            if self.all_fit([*self.commitments, commitment], []):
                self.commitments.append(commitment)
            else:
                self.warned.append(commitment.id)

    def spans(self, recurrings: Iterable[Recurring]) -> Iterator[tuple[datetime, datetime]]:
        for recurring in recurrings:
            first = instant_of(self.lo).replace(tzinfo=None) - recurring.duration - 2 * DAY
            last = instant_of(self.hi).replace(tzinfo=None) + 2 * DAY
            for begin in beginnings(recurring, self.zone, first, last):
                yield wall_to_instant(begin, self.zone), wall_to_instant(begin + recurring.duration, self.zone)

    def minutes_open(self, recurrings: Iterable[Recurring]) -> set[int]:
        """Narrowed to whole minutes."""
        spans = [(ceil_minute(start), floor_minute(end)) for start, end in self.spans(recurrings)]
        return {m for start, end in spans for m in range(max(start, self.lo), min(end, self.hi))}

    def minutes_touched(self, recurrings: Iterable[Recurring]) -> set[int]:
        """Widened to whole minutes."""
        spans = [(floor_minute(start), ceil_minute(end)) for start, end in self.spans(recurrings) if start < end]
        return {m for start, end in spans for m in range(max(start, self.lo), min(end, self.hi))}

    def person(self, resource: str) -> str:
        """Whose busy time it is: the person's, else the resource's own."""
        person = self.by_id[resource].person
        return f"resource {resource}" if person is None else f"person {person}"

    def own_hours(self, resource: Resource) -> set[int]:
        minutes = set(self.date_of) if resource.hours is None else self.minutes_open(resource.hours)
        overridden = {override.date for override in resource.overrides}
        minutes = {m for m in minutes if self.date_of[m] not in overridden}
        for override in resource.overrides:
            for hours in override.hours:
                start = wall_to_instant(midnight(override.date) + wall_time(hours.opens), self.zone)
                end = wall_to_instant(midnight(override.date) + wall_time(hours.closes), self.zone)
                minutes |= set(range(max(ceil_minute(start), self.lo), min(floor_minute(end), self.hi)))
        return minutes

    def forbidden(self, part: Part, resource: str) -> bool:
        for rule, minutes in self.rules:
            if rule.resources is not None and resource not in rule.resources:
                continue
            named = rule.appointment_types is None or part.appointment_type in rule.appointment_types
            if named == (rule.effect == "reserve"):
                continue
            ahead = instant_of(part.starts) - self.problem.now
            if rule.effect == "reserve" and rule.release is not None and ahead < rule.release:
                continue
            if any(m in minutes for m in range(part.begin, part.end)):
                return True
        return False

    def take(self, part: Part, resource: str, taken: Sequence[Use]) -> list[Use] | None:
        """The uses with this one added, or None where the resource cannot serve."""
        step, whole = range(part.begin, part.end), range(part.begin - part.before, part.end + part.after)
        if not all(m in self.open[resource] for m in step):
            return None
        if any(m in self.blocked[resource] for m in whole):
            return None
        if self.forbidden(part, resource):
            return None
        uses = [*taken, Use(resource, whole.start, whole.stop)]
        person = self.person(resource)
        shared = [use for use in uses if self.person(use.resource) == person]
        for m in whole:
            now = [use for use in shared if use.begin <= m < use.end]
            if self.busy[person][m] + len(now) > min(self.by_id[use.resource].capacity for use in now):
                return None
        return uses

    def choices(self, parts: Sequence[Part], uses: Sequence[Use], chosen: Chosen) -> Iterator[tuple[Chosen, list[Use]]]:
        """Every assignment of resources to the parts beside `uses`."""
        if not parts:
            yield chosen, list(uses)
            return
        part = parts[0]
        candidates = tuple(dict.fromkeys(part.any_of))
        options = [chosen[part.role]] if part.role in chosen else list(combinations(candidates, part.count))
        for resources in options:
            taken: list[Use] | None = list(uses)
            for resource in resources:
                if taken is not None:
                    taken = self.take(part, resource, taken) if resource in candidates else None
            if taken is not None and len(resources) == part.count:
                yield from self.choices(parts[1:], taken, {**chosen, part.role: resources})

    def all_fit(self, commitments: Sequence[Commitment], uses: Sequence[Use]) -> bool:
        """Whether all of them find a place beside the uses and one another."""
        if not commitments:
            return True
        commitment = commitments[0]
        for start in range(ceil_minute(commitment.earliest), floor_minute(commitment.latest) + 1):
            parts = parts_of(commitment.steps, start)
            if any(self.all_fit(commitments[1:], taken) for _, taken in self.choices(parts, uses, {})):
                return True
        return False

    def timeline(self, start: int) -> list[tuple[Visit, int]]:
        begins = start
        placed = []
        for visit in self.problem.visits:
            placed.append((visit, begins))
            if self.problem.arrangement == "back_to_back":
                begins += duration_of(visit.steps)
        return placed

    def visit_parts(self, start: int) -> list[Part]:
        visits = self.problem.visits
        apart = len(visits) == 1 or self.problem.arrangement == "together"
        parts = []
        for index, (visit, begins) in enumerate(self.timeline(start)):
            shared = () if apart else self.problem.same_roles
            before = whole_minutes(visit.buffer_before) if apart or index == 0 else 0
            after = whole_minutes(visit.buffer_after) if apart or index == len(visits) - 1 else 0
            parts += parts_of(visit.steps, begins, index, shared, visit.appointment_type, before, after)
        return parts

    def in_time(self, start: int) -> bool:
        visit, instant, now = self.problem.visits[0], instant_of(start), self.problem.now
        return instant >= now + visit.notice and (visit.horizon is None or instant <= now + visit.horizon)

    def grid_minutes(self, grid: Grid, day: date, resource: str) -> set[int]:
        """The minutes of the grid on a local day; one from opening counts to the end of that open stretch."""
        if grid.starts is not None:
            walls = [midnight(day) + wall_time(text) for text in grid.starts]
            return {floor_minute(wall_to_instant(wall, self.zone)) for wall in walls}
        if grid.anchor == "midnight":
            return set(self.counted(grid, midnight(day)))
        opening = self.open[resource] if self.practice_open is None else self.practice_open
        today = {m for m in opening if self.date_of[m] == day}
        found = set()
        for begin in today:
            if begin - 1 not in today:
                end = next(m for m in count(begin) if m not in today)
                found |= {m for m in self.counted(grid, self.wall(begin)) if begin <= m < end}
        return found

    def counted(self, grid: Grid, anchor: datetime) -> Iterator[int]:
        """From the anchor to the end of its local day."""
        assert grid.every is not None
        wall = anchor + grid.offset
        while wall < midnight(anchor.date() + DAY):
            yield floor_minute(wall_to_instant(wall, self.zone))
            wall += grid.every

    def wall(self, minute: int) -> datetime:
        return instant_of(minute).astimezone(self.zone).replace(tzinfo=None)

    def on_grid(self, start: int, resource: str) -> bool:
        visit, day = self.problem.visits[0], self.date_of[start]
        if (resource, day) not in self.grids:
            grid = visit.grid_for.get(resource, visit.grid)
            self.grids[resource, day] = self.grid_minutes(grid, day, resource)
        return start in self.grids[resource, day]

    def within_caps(self, start: int, assignments: Sequence[dict[str, list[str]]]) -> bool:
        day, visits = self.date_of[start], self.problem.visits
        firsts = [set(a[v.steps[0].needs[0].role]) for v, a in zip(visits, assignments, strict=True)]
        for visit, serving in zip(visits, firsts, strict=True):
            same = [other.appointment_type == visit.appointment_type for other in visits]
            if visit.max_per_day is not None and visit.booked_on.get(day, 0) + sum(same) > visit.max_per_day:
                return False
            for resource in serving if visit.max_per_resource_day is not None else ():
                new = sum(resource in first for first, alike in zip(firsts, same, strict=True) if alike)
                assert visit.max_per_resource_day is not None
                if self.by_id[resource].booked_on.get(day, 0) + new > visit.max_per_resource_day:
                    return False
        return True

    def ways(self, start: int) -> Iterator[list[dict[str, list[str]]]]:
        """Every assignment, one dict a visit, with which the start satisfies the contract."""
        first_need = self.problem.visits[0].steps[0].needs[0]
        if not self.in_time(start) or not any(self.on_grid(start, resource) for resource in first_need.any_of):
            return
        for chosen, uses in self.choices(self.visit_parts(start), [], {}):
            assignments = self.assignments(chosen)
            if not all(self.on_grid(start, resource) for resource in assignments[0][first_need.role]):
                continue
            if self.within_caps(start, assignments) and self.all_fit(self.commitments, uses):
                yield assignments

    def assignments(self, chosen: Chosen) -> list[dict[str, list[str]]]:
        visits = self.problem.visits
        apart = len(visits) == 1 or self.problem.arrangement == "together"
        found = []
        for index, visit in enumerate(visits):
            shared = () if apart else self.problem.same_roles
            roles = dict.fromkeys(need.role for step in visit.steps for need in step.needs)
            found.append({role: list(chosen[role_key(role, index, shared)]) for role in roles})
        return found


def duration_of(steps: Sequence[Step]) -> int:
    return sum(whole_minutes(step.duration) for step in steps)


def role_key(role: str, holder: int | None, shared: Sequence[str]) -> tuple[object, str]:
    return ("shared" if role in shared else holder, role)


def parts_of(
    steps: Sequence[Step],
    start: int,
    holder: int | None = None,
    shared: Sequence[str] = (),
    appointment_type: str | None = None,
    before: int = 0,
    after: int = 0,
) -> list[Part]:
    """A visit or a commitment laid out from its start, need by need; buffers hang on the first and the last step."""
    parts, begin = [], start
    for number, step in enumerate(steps):
        end = begin + whole_minutes(step.duration)
        parts += [
            Part(
                role_key(need.role, holder, shared),
                need.any_of,
                need.count,
                begin,
                end,
                before if number == 0 else 0,
                after if number == len(steps) - 1 else 0,
                appointment_type,
                start,
            )
            for need in step.needs
        ]
        begin = end
    return parts


def practice_around(problem: SlotProblem, begin: int, end: int) -> Practice:
    """The practice with room for everything that a visit starting from `begin` to `end`, or a commitment, can touch."""
    length = sum(
        duration_of(v.steps) + whole_minutes(v.buffer_before) + whole_minutes(v.buffer_after) for v in problem.visits
    )
    lows = [begin] + [floor_minute(c.earliest) for c in problem.commitments]
    highs = [end + length] + [ceil_minute(c.latest) + duration_of(c.steps) for c in problem.commitments]
    return Practice(problem, min(lows) - length - A_LOCAL_DAY, max(highs) + A_LOCAL_DAY)


def window_minutes(problem: SlotProblem) -> range:
    return range(ceil_minute(problem.window.start), ceil_minute(problem.window.end))


def bookable_starts(problem: SlotProblem) -> list[datetime]:
    """Every start in the window that satisfies the contract, sorted."""
    minutes = window_minutes(problem)
    practice = practice_around(problem, minutes.start, minutes.stop)
    return [instant_of(m) for m in minutes if any(True for _ in practice.ways(m))]


def is_bookable(problem: SlotProblem, start: datetime) -> bool:
    return next(iter(ways_to_book(problem, start)), None) is not None


def ways_to_book(problem: SlotProblem, start: datetime) -> Iterator[list[dict[str, list[str]]]]:
    """Every assignment with which this start can be booked."""
    minute = floor_minute(start)
    return practice_around(problem, minute, minute + 1).ways(minute)


def next_start(problem: SlotProblem) -> datetime | None:
    """The first start at or after the window's end, looked for day by day."""
    begin = window_minutes(problem).stop
    horizon = problem.visits[0].horizon
    last = floor_minute(problem.now + horizon) if horizon is not None else begin + SEARCH_DAYS * 1440
    while begin <= last:
        end = min(begin + 1440, last + 1)
        practice = practice_around(problem, begin, end)
        for m in range(begin, end):
            if any(True for _ in practice.ways(m)):
                return instant_of(m)
        begin = end
    return None


def unplaceable(problem: SlotProblem) -> list[str]:
    """Ids of the commitments that find no place beside those before them."""
    minutes = window_minutes(problem)
    return practice_around(problem, minutes.start, minutes.stop).warned


def slot_end(problem: SlotProblem, start: datetime) -> datetime:
    durations = [timedelta(minutes=duration_of(visit.steps)) for visit in problem.visits]
    return start + (max(durations) if problem.arrangement == "together" else sum(durations, timedelta()))


def occupied_spans(
    problem: SlotProblem, start: datetime, assignments: Sequence[dict[str, list[str]]]
) -> list[tuple[str, datetime, datetime]]:
    """Every resource's time that the booked visits take, buffers included, one entry a step and need."""
    minute = floor_minute(start)
    practice = practice_around(problem, minute, minute + 1)
    shared = () if problem.arrangement == "together" else problem.same_roles
    chosen: Chosen = {
        role_key(role, index, shared): tuple(resources)
        for index, assignment in enumerate(assignments)
        for role, resources in assignment.items()
    }
    return [
        (resource, instant_of(part.begin - part.before), instant_of(part.end + part.after))
        for part in practice.visit_parts(minute)
        for resource in chosen[part.role]
    ]


def booked(problem: SlotProblem, start: datetime, assignments: Sequence[dict[str, list[str]]]) -> SlotProblem:
    """The problem after this booking: time taken, caps counted."""
    minute = floor_minute(start)
    day = instant_of(minute).astimezone(ZoneInfo(problem.timezone)).date()
    taken = occupied_spans(problem, start, assignments)
    firsts = [
        resource
        for visit, assignment in zip(problem.visits, assignments, strict=True)
        for resource in assignment[visit.steps[0].needs[0].role]
        if visit.max_per_resource_day is not None
    ]

    def after(visit: Visit) -> Visit:
        new = sum(other.appointment_type == visit.appointment_type for other in problem.visits)
        return msgspec.structs.replace(visit, booked_on={**visit.booked_on, day: visit.booked_on.get(day, 0) + new})

    resources = tuple(
        msgspec.structs.replace(
            r,
            busy=Busy.of(
                [*r.busy, *(Span(start=begin, end=end) for resource, begin, end in taken if resource == r.id)]
            ),
            booked_on={**r.booked_on, day: r.booked_on.get(day, 0) + firsts.count(r.id)},
        )
        for r in problem.resources
    )
    protect = tuple(msgspec.structs.replace(p, visit=after(p.visit)) for p in problem.protect)
    visits = tuple(after(visit) for visit in problem.visits)
    return msgspec.structs.replace(problem, resources=resources, visits=visits, protect=protect)


def protected_starts(problem: SlotProblem, day: date) -> list[set[datetime]]:
    """For each protected visit its starts on the local day."""
    zone = ZoneInfo(problem.timezone)
    start, end = wall_to_instant(midnight(day), zone), wall_to_instant(midnight(day + DAY), zone)
    return [
        set(
            bookable_starts(
                msgspec.structs.replace(
                    problem, visits=(p.visit,), window=Span(start=start, end=end), arrangement="back_to_back"
                )
            )
        )
        for p in problem.protect
    ]


def score_of(
    problem: SlotProblem,
    start: datetime,
    assignments: Sequence[dict[str, list[str]]],
    before: Sequence[set[datetime]] | None = None,
) -> int:
    """The weighted number of protected starts of that local day (`before`, where known) that this booking loses."""
    day = start.astimezone(ZoneInfo(problem.timezone)).date()
    before = protected_starts(problem, day) if before is None else before
    after = protected_starts(booked(problem, start, assignments), day)
    return sum(p.weight * len(b - a) for p, b, a in zip(problem.protect, before, after, strict=True))


def best_score(problem: SlotProblem, start: datetime) -> int:
    before = protected_starts(problem, start.astimezone(ZoneInfo(problem.timezone)).date())
    return min(score_of(problem, start, assignments, before) for assignments in ways_to_book(problem, start))


__all__ = [
    "Need",
    "Practice",
    "best_score",
    "bookable_starts",
    "booked",
    "is_bookable",
    "next_start",
    "occupied_spans",
    "practice_around",
    "protected_starts",
    "score_of",
    "slot_end",
    "unplaceable",
    "ways_to_book",
]
