"""Whether a problem can stand: everything the types cannot say, each fault with the path of its field.

Whether recurring times can be followed, and busy spans be laid out, shows where that is done, in `layout` and `masks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from availability.errors import ProblemError
from availability.problem import Commitment, Grid, Recurring, Resource, Rule, SlotProblem, Step, Visit

NOTHING = timedelta(0)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LONGEST_WINDOW = timedelta(days=400)
LONGEST_VISIT = timedelta(days=14)
LONGEST_RECURRING = timedelta(days=400)
LONGEST_WAIT = timedelta(days=366 * 20)
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
YEARS = range(1972, 2200)


def check(problem: SlotProblem) -> None:
    """Raise ProblemError at the first fault."""
    check_schedule(problem)
    check_question(problem)


def check_schedule(problem: SlotProblem) -> None:
    """What stays the same from question to question."""
    check_times(problem)
    check_resources(problem)


def check_times(problem: SlotProblem) -> None:
    """What a layout is made of: the zone, and whatever happens again and again or on some dates."""
    try:
        ZoneInfo(problem.timezone)
    except (KeyError, ValueError, OSError) as error:
        raise ProblemError("timezone", "is no IANA time zone") from error
    for number, closure in enumerate(problem.closures):
        if closure.last < closure.first:
            raise ProblemError(f"closures[{number}].to", "is before `from`")
    _check_recurring(problem.hours or (), "hours")
    for number, resource in enumerate(problem.resources):
        _check_times_of(resource, f"resources[{number}]")
    for number, rule in enumerate(problem.rules):
        _check_recurring(rule.when, f"rules[{number}].when")


def check_resources(problem: SlotProblem) -> None:
    """Who there is, how much they can take, and whom rules speak of."""
    known: set[str] = set()
    for number, resource in enumerate(problem.resources):
        if resource.id in known:
            raise ProblemError(f"resources[{number}].id", "is the id of another resource already")
        known.add(resource.id)
        if resource.capacity < 1:
            raise ProblemError(f"resources[{number}].capacity", "is not positive")
        _check_booked_on(resource.booked_on.values(), f"resources[{number}].booked_on")
    for number, rule in enumerate(problem.rules):
        _check_rule(rule, known, f"rules[{number}]")


def check_question(problem: SlotProblem) -> None:
    """What may differ from question to question: the time asked for, visits, commitments, the offer."""
    known = {resource.id for resource in problem.resources}
    check_instant(problem.now, "now")
    check_instant(problem.window.start, "window.start")
    check_instant(problem.window.end, "window.end")
    if problem.window.end < problem.window.start:
        raise ProblemError("window.end", "is before the start")
    if problem.window.end - problem.window.start > LONGEST_WINDOW:
        raise ProblemError("window.end", f"is more than {LONGEST_WINDOW.days} days after the start")
    if not problem.visits:
        raise ProblemError("visits", "is empty")
    for number, visit in enumerate(problem.visits):
        _check_visit(visit, known, f"visits[{number}]")
    if problem.same_roles and problem.arrangement == "back_to_back":
        _check_same_roles(problem)
    names: set[str] = set()
    for number, commitment in enumerate(problem.commitments):
        path = f"commitments[{number}]"
        if commitment.id in names:
            raise ProblemError(f"{path}.id", "is the id of another commitment already")
        names.add(commitment.id)
        _check_commitment(commitment, problem, known, path)
    for number, protected in enumerate(problem.protect):
        _check_visit(protected.visit, known, f"protect[{number}].visit")
        if protected.weight < 0:
            raise ProblemError(f"protect[{number}].weight", "is negative")
    if problem.offer.at_least < 0:
        raise ProblemError("offer.at_least", "is negative")


def check_instant(instant: datetime, path: str) -> None:
    """An instant must say its offset, and lie in years for which zones are known to the minute."""
    if instant.tzinfo is None:
        raise ProblemError(path, "needs an offset, as in `2026-03-08T09:00:00-05:00`")
    if instant.year not in YEARS:
        raise ProblemError(path, f"lies outside the years {YEARS.start} to {YEARS.stop - 1}")


def _check_times_of(resource: Resource, path: str) -> None:
    _check_recurring(resource.hours or (), f"{path}.hours")
    _check_recurring(resource.block_offs, f"{path}.block_offs")
    for number, override in enumerate(resource.overrides):
        for each, hours in enumerate(override.hours):
            here = f"{path}.overrides[{number}].hours[{each}]"
            _check_clock(hours.opens, f"{here}.from")
            if hours.closes != "24:00":
                _check_clock(hours.closes, f"{here}.to")
            if hours.closes < hours.opens:
                raise ProblemError(f"{here}.to", "is before `from`")


def _check_rule(rule: Rule, known: set[str], path: str) -> None:
    for number, resource in enumerate(rule.resources or ()):
        if resource not in known:
            raise ProblemError(f"{path}.resources[{number}]", f"is no resource: `{resource}`")
    if rule.release is not None:
        if rule.effect != "reserve":
            raise ProblemError(f"{path}.release", "belongs to rules that reserve")
        _check_duration(rule.release, f"{path}.release", at_most=LONGEST_WAIT)


def _check_recurring(recurring: Iterable[Recurring], path: str) -> None:
    for number, each in enumerate(recurring):
        if each.starts.tzinfo is not None:
            raise ProblemError(f"{path}[{number}].starts", "is local time and takes no offset")
        _check_duration(each.duration, f"{path}[{number}].duration", at_most=LONGEST_RECURRING)


def _check_visit(visit: Visit, known: set[str], path: str) -> None:
    _check_steps(visit.steps, known, f"{path}.steps")
    if not visit.steps[0].needs:
        raise ProblemError(f"{path}.steps[0].needs", "is empty")
    for name, buffer in (("buffer_before", visit.buffer_before), ("buffer_after", visit.buffer_after)):
        if buffer:
            _check_duration(buffer, f"{path}.{name}", at_most=LONGEST_VISIT)
            _check_whole_minutes(buffer, f"{path}.{name}")
    _check_grid(visit.grid, f"{path}.grid")
    for resource, grid in visit.grid_for.items():
        if resource not in known:
            raise ProblemError(f"{path}.grid_for.{resource}", f"is no resource: `{resource}`")
        _check_grid(grid, f"{path}.grid_for.{resource}")
    if visit.notice:
        _check_duration(visit.notice, f"{path}.notice", at_most=LONGEST_WAIT)
    if visit.horizon is not None:
        _check_duration(visit.horizon, f"{path}.horizon", at_most=LONGEST_WAIT)
    for cap in ("max_per_day", "max_per_resource_day"):
        if (getattr(visit, cap) or 0) < 0:
            raise ProblemError(f"{path}.{cap}", "is negative")
    _check_booked_on(visit.booked_on.values(), f"{path}.booked_on")


def _check_steps(steps: tuple[Step, ...], known: set[str], path: str) -> None:
    if not steps:
        raise ProblemError(path, "is empty")
    counts: dict[str, int] = {}
    length = NOTHING
    for number, step in enumerate(steps):
        here = f"{path}[{number}]"
        if step.duration <= NOTHING:
            raise ProblemError(f"{here}.duration", "is not positive")
        _check_whole_minutes(step.duration, f"{here}.duration")
        length += step.duration
        if length > LONGEST_VISIT:
            raise ProblemError(f"{here}.duration", f"makes the steps longer than {LONGEST_VISIT.days} days")
        in_step: set[str] = set()
        for each, need in enumerate(step.needs):
            there = f"{here}.needs[{each}]"
            if need.role in in_step:
                raise ProblemError(f"{there}.role", f"occurs twice in the step: `{need.role}`")
            in_step.add(need.role)
            if need.count < 1:
                raise ProblemError(f"{there}.count", "is not positive")
            if counts.setdefault(need.role, need.count) != need.count:
                raise ProblemError(f"{there}.count", f"differs from an earlier step's for `{need.role}`")
            if not known.issuperset(need.any_of):
                candidate, resource = next(each for each in enumerate(need.any_of) if each[1] not in known)
                raise ProblemError(f"{there}.any_of[{candidate}]", f"is no resource: `{resource}`")


def _check_same_roles(problem: SlotProblem) -> None:
    counts: dict[str, int] = {}
    for number, visit in enumerate(problem.visits):
        for step_number, step in enumerate(visit.steps):
            for need_number, need in enumerate(step.needs):
                if need.role in problem.same_roles and counts.setdefault(need.role, need.count) != need.count:
                    path = f"visits[{number}].steps[{step_number}].needs[{need_number}].count"
                    raise ProblemError(path, f"differs from an earlier visit's for `{need.role}`")


def _check_commitment(commitment: Commitment, problem: SlotProblem, known: set[str], path: str) -> None:
    check_instant(commitment.earliest, f"{path}.earliest")
    check_instant(commitment.latest, f"{path}.latest")
    if commitment.latest < commitment.earliest:
        raise ProblemError(f"{path}.latest", "is before `earliest`")
    if commitment.earliest < problem.window.start - LONGEST_WINDOW:
        raise ProblemError(f"{path}.earliest", f"is more than {LONGEST_WINDOW.days} days before the window")
    if commitment.latest > problem.window.end + LONGEST_WINDOW:
        raise ProblemError(f"{path}.latest", f"is more than {LONGEST_WINDOW.days} days after the window")
    _check_steps(commitment.steps, known, f"{path}.steps")


def _check_grid(grid: Grid, path: str) -> None:
    if (grid.every is None) == (grid.starts is None):
        raise ProblemError(path, "needs either `every` or `starts`")
    if grid.every is not None:
        if not MINUTE <= grid.every <= DAY:
            raise ProblemError(f"{path}.every", "is not between a minute and a day")
        _check_whole_minutes(grid.every, f"{path}.every")
    if grid.offset:
        _check_duration(grid.offset, f"{path}.offset", at_most=DAY)
        _check_whole_minutes(grid.offset, f"{path}.offset")
    for number, clock in enumerate(grid.starts or ()):
        _check_clock(clock, f"{path}.starts[{number}]")


def _check_clock(clock: str, path: str) -> None:
    if CLOCK.fullmatch(clock) is None:
        raise ProblemError(path, "is no time of day, as in `09:40`")


def _check_duration(duration: timedelta, path: str, *, at_most: timedelta) -> None:
    if duration < NOTHING:
        raise ProblemError(path, "is negative")
    if duration > at_most:
        raise ProblemError(path, f"is longer than {at_most.days} days")


def _check_whole_minutes(duration: timedelta, path: str) -> None:
    if duration.seconds % 60 or duration.microseconds:
        raise ProblemError(path, "is no whole number of minutes")


def _check_booked_on(counts: Iterable[int], path: str) -> None:
    if min(counts, default=0) < 0:
        raise ProblemError(path, "is negative")
