"""Lint: what in a practice's set-up cannot be meant so, in plain words. Pure: the set-up in, sentences out.

Whether a type can be booked at all is what the engine says of an empty schedule; why not is asked of one function after
the other, until one has an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from availability import Grid, Need, ProblemError, Rule, Span, Step, Visit, prepare, solve
from booking import spoken
from booking.configure.set_up import SetUp, empty_schedule, engine_visit
from booking.db.appointment_types import END_OF_LIFE
from booking.db.configuration import Kind, TypeSettings
from booking.local_days import day_start, days_between, local_date

LOOKED_AT = timedelta(days=28)
FINE = Grid(every=timedelta(minutes=5))
BRIEF = timedelta(minutes=5)
MOST_RULES = 50


class Remark(Struct, frozen=True, kw_only=True):
    """What is odd, in a sentence, and about which thing; `code` is the same for all remarks of a sort."""

    code: str
    words: str
    kind: Kind
    id: UUID | None = None


def lint(set_up: SetUp, now: datetime) -> list[Remark]:
    """Return everything that is odd about a set-up, the types first."""
    found: list[Remark] = []
    try:
        weeks = EmptyWeeks(set_up, now)
    except ProblemError as error:
        words = f"The schedule cannot be read, so nothing can be booked: {error}."
        return [Remark(code="schedule_unreadable", words=words, kind="practice")]
    for id_, one in set_up.types.items():
        if one.bookable_online:
            found += never_bookable(weeks, id_, one)
            found += (remark for look in OF_TYPES for remark in look(set_up, id_, one))
    return [*found, *(remark for look in OF_SET_UP for remark in look(set_up, now))]


class EmptyWeeks:
    """The next four weeks with nothing booked and no day closed, to ask the engine what would be possible."""

    def __init__(self, set_up: SetUp, now: datetime) -> None:
        """Lay the weeks out. Raises `ProblemError` where some time in the set-up cannot be followed."""
        start = day_start(local_date(now, set_up.practice.timezone) + timedelta(days=1), set_up.practice.timezone)
        self.set_up = set_up
        self.window = Span(start=start, end=start + LOOKED_AT)
        self.ruled = empty_schedule(set_up, self.window)
        self.free = msgspec.structs.replace(self.ruled, rules=())
        self.masks = {True: prepare(self.ruled), False: prepare(self.free)}

    def weekdays(self, visit: Visit, *, ruled: bool = False) -> set[int]:
        """Return the days of the week on which a visit could start."""
        problem = msgspec.structs.replace(self.ruled if ruled else self.free, visits=(_bare(visit),))
        zone = self.set_up.practice.timezone
        return {local_date(one.start, zone).weekday() for one in solve(problem, masks=self.masks[ruled]).slots}

    def forbidden_by(self, rule: Rule, visit: Visit) -> bool:
        """Say whether one rule, alone, leaves a visit no time."""
        return not solve(msgspec.structs.replace(self.free, rules=(rule,), visits=(_bare(visit),))).slots

    def weekdays_of(self, role: str, count: int, during: timedelta = BRIEF) -> set[int]:
        """Return the days of the week on which so many with a role work so long."""
        any_of = tuple(str(id_) for id_, one in self.set_up.resources.items() if role in one.roles)
        step = Step(duration=during, needs=(Need(role=role, any_of=any_of, count=count),))
        return self.weekdays(Visit(appointment_type="any", steps=(step,), grid=FINE))


def never_bookable(weeks: EmptyWeeks, id_: UUID, one: TypeSettings) -> Iterator[Remark]:
    """A type that shows no times at all, and the first reason that there is."""
    if one.mode != "instant" or not one.steps:
        return
    if weeks.weekdays(engine_visit(id_, one, weeks.set_up), ruled=True) and one.max_per_day != 0:
        return
    for reason in WHY_NEVER:
        words = reason(weeks, id_, one)
        if words is not None:
            whole = f"“{one.name}” can never be booked: {words}."
            yield Remark(code=reason.__name__, words=whole, kind="appointment_type", id=id_)
            return


def nobody_has_the_role(weeks: EmptyWeeks, _: UUID, one: TypeSettings) -> str | None:
    """Fewer have a role than the type needs at once."""
    for role, count in _needs(one):
        able = sum(role in each.roles for each in weeks.set_up.resources.values())
        if able == 0:
            return f"nobody has the role “{role}”"
        if able < count:
            return f"it needs {count} with the role “{role}”, and there {'is' if able == 1 else 'are'} {able}"
    return None


def nobody_works_that_long(weeks: EmptyWeeks, _: UUID, one: TypeSettings) -> str | None:
    """A step is longer than anybody with its role works in one stretch."""
    for step in one.steps:
        for need in step.needs:
            if not weeks.weekdays_of(need.role, need.count):
                return f"nobody with the role “{need.role}” has working hours in the next four weeks"
            if not weeks.weekdays_of(need.role, need.count, step.duration):
                return f"nobody with the role “{need.role}” works {spoken.length(step.duration)} in one stretch"
    return None


def no_day_has_all_it_needs(weeks: EmptyWeeks, _: UUID, one: TypeSettings) -> str | None:
    """The roles are there, but on different days."""
    days = {role: weeks.weekdays_of(role, count) for role, count in _needs(one)}
    rarest = min(days, key=lambda role: len(days[role]), default=None)
    if rarest is None or set.intersection(*days.values()):
        return None
    lacking = next((role for role in days if not days[role] & days[rarest]), None)
    on = spoken.weekdays(days[rarest])
    if lacking is None:
        return f"on {on}, the only days of the role “{rarest}”, not all others that it needs are there"
    return f"nobody has the role “{lacking}” on {on}, the only days of the role “{rarest}”"


def never_all_at_once(weeks: EmptyWeeks, id_: UUID, one: TypeSettings) -> str | None:
    """The roles are there on the same days, but not at the same times for long enough."""
    if weeks.weekdays(engine_visit(id_, one, weeks.set_up, grid=FINE)):
        return None
    roles = spoken.listed([f"“{role}”" for role, _ in _needs(one)])
    return f"{roles} never work at the same time for the {spoken.length(_length(one))} that it takes"


def grid_never_aligns(weeks: EmptyWeeks, id_: UUID, one: TypeSettings) -> str | None:
    """No start time of the type's own falls into working hours."""
    if weeks.weekdays(engine_visit(id_, one, weeks.set_up)):
        return None
    return "none of its start times leaves enough working hours after it"


def rules_forbid_it_always(weeks: EmptyWeeks, id_: UUID, one: TypeSettings) -> str | None:
    """Rules leave no time; where one of them does so alone, it is named."""
    visit = engine_visit(id_, one, weeks.set_up)
    if weeks.weekdays(visit, ruled=True):
        return None
    alone = next((rule for rule in weeks.ruled.rules[:MOST_RULES] if weeks.forbidden_by(rule, visit)), None)
    if alone is None:
        return "the rules together leave no time for it"
    possible = spoken.weekdays(weeks.weekdays(visit))
    return f"the rule “{alone.name}” leaves no time for it, which could otherwise be on {possible}"


def no_visit_a_day(_: EmptyWeeks, __: UUID, one: TypeSettings) -> str | None:
    """At most none a day."""
    return "it may be booked 0 times a day" if one.max_per_day == 0 else None


WHY_NEVER: tuple[Callable[[EmptyWeeks, UUID, TypeSettings], str | None], ...] = (
    no_visit_a_day,
    nobody_has_the_role,
    nobody_works_that_long,
    no_day_has_all_it_needs,
    never_all_at_once,
    grid_never_aligns,
    rules_forbid_it_always,
)


def notice_beyond_horizon(_: SetUp, id_: UUID, one: TypeSettings) -> Iterator[Remark]:
    """It must be booked earlier than it can be booked."""
    if one.mode == "instant" and one.notice >= one.horizon:
        words = (
            f"“{one.name}” can never be booked: it takes {spoken.length(one.notice)} notice,"
            f" and can be booked only {spoken.length(one.horizon)} ahead."
        )
        yield Remark(code="notice_beyond_horizon", words=words, kind="appointment_type", id=id_)


def no_species(_: SetUp, id_: UUID, one: TypeSettings) -> Iterator[Remark]:
    """Nobody's pet may come."""
    if not one.species:
        words = f"“{one.name}” can never be booked: no species may come for it."
        yield Remark(code="no_species", words=words, kind="appointment_type", id=id_)


def only_for_clients_who_cannot_book(set_up: SetUp, id_: UUID, one: TypeSettings) -> Iterator[Remark]:
    """A type for new clients, at a practice that lets existing ones book only."""
    if one.who_may_book == "new" and set_up.practice.who_may_book == "existing_clients":
        words = f"“{one.name}” can never be booked: it is for new clients, and only existing clients may book here."
        yield Remark(code="only_for_clients_who_cannot_book", words=words, kind="appointment_type", id=id_)


def end_of_life_by_the_minute(_: SetUp, id_: UUID, one: TypeSettings) -> Iterator[Remark]:
    """A farewell is arranged by phone, whatever is set."""
    if one.mode == "instant" and one.category.strip().lower().replace("_", " ") == END_OF_LIFE:
        words = f"“{one.name}” is set to show times, but a farewell is always arranged by phone; set it to call back."
        yield Remark(code="end_of_life_by_the_minute", words=words, kind="appointment_type", id=id_)


def unknown_to_the_pims(set_up: SetUp, id_: UUID, one: TypeSettings) -> Iterator[Remark]:
    """Its appointments could not be written to the PIMS."""
    if set_up.has_pims and id_ not in set_up.mirrored and one.mode == "instant":
        words = f"“{one.name}” does not exist in the PIMS, so its appointments cannot be written there by themselves."
        yield Remark(code="unknown_to_the_pims", words=words, kind="appointment_type", id=id_)


OF_TYPES: tuple[Callable[[SetUp, UUID, TypeSettings], Iterator[Remark]], ...] = (
    notice_beyond_horizon,
    no_species,
    only_for_clients_who_cannot_book,
    end_of_life_by_the_minute,
    unknown_to_the_pims,
)


def question_of_retired_types(set_up: SetUp, _: datetime) -> Iterator[Remark]:
    """Asked for types only that are not in use any more."""
    for id_, one in set_up.questions.items():
        if one.appointment_types is not None and not any(each in set_up.types for each in one.appointment_types):
            words = f"The question “{one.label}” is never asked: its appointment types are not in use any more."
            yield Remark(code="question_of_retired_types", words=words, kind="question", id=id_)


def closed_all_the_time(set_up: SetUp, now: datetime) -> Iterator[Remark]:
    """Closures leave no day as far as anybody can book."""
    horizons = [one.horizon for one in set_up.types.values() if one.bookable_online and one.mode == "instant"]
    if not horizons:
        return
    zone = set_up.practice.timezone
    first, last = local_date(now, zone), local_date(now + max(horizons), zone)
    closures = set_up.closures.values()
    if all(any(one.first <= day <= one.last for one in closures) for day in days_between(first, last)):
        words = f"Nothing can be booked: the practice is closed on every day until {spoken.day(last)}."
        yield Remark(code="closed_all_the_time", words=words, kind="closure")


def open_day_and_night(set_up: SetUp, _: datetime) -> Iterator[Remark]:
    """Neither the resource nor the practice has hours."""
    if set_up.practice.hours:
        return
    for id_, one in set_up.resources.items():
        if one.hours is None and one.roles:
            words = f"{one.name} counts as open day and night: neither it nor the practice has any hours."
            yield Remark(code="open_day_and_night", words=words, kind="resource", id=id_)


OF_SET_UP: tuple[Callable[[SetUp, datetime], Iterator[Remark]], ...] = (
    question_of_retired_types,
    closed_all_the_time,
    open_day_and_night,
)


def _needs(one: TypeSettings) -> list[tuple[str, int]]:
    return list(dict.fromkeys((need.role, need.count) for step in one.steps for need in step.needs))


def _length(one: TypeSettings) -> timedelta:
    return sum((step.duration for step in one.steps), timedelta())


def _bare(visit: Visit) -> Visit:
    """Return a visit without what depends on today: notice, horizon and caps."""
    return msgspec.structs.replace(visit, notice=timedelta(), horizon=LOOKED_AT + timedelta(days=1), max_per_day=None)
