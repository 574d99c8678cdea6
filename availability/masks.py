"""The practice's schedule as bits: its layout, when each resource is taken, and what the rules deny.

A caller who keeps the `Masks` asks the next question on the same schedule and the same busy time (another appointment
type, another window inside the prepared one) for a fraction of the time; one who keeps a `Layout` saves less, but keeps
it whoever books.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from availability.bits import Minutes, Runs, depth, levels, without
from availability.busy import BusyReader
from availability.errors import ProblemError
from availability.layout import Layout, lay_out
from availability.problem import Grid, Resource, Rule, SlotProblem

LEVELS = 200_000_000
"""As many bytes the levels of resources with capacity may fill; one takes a bit for every minute."""


class Masks:
    """One schedule between two dates. Bit 0 is the first minute of the first date.

    `layout`: one that fits the problem, to be used where it covers the dates.
    """

    def __init__(self, problem: SlotProblem, first: date, last: date, layout: Layout | None = None) -> None:
        self.problem = problem
        if layout is not None and layout.cover(first, last):
            laid_out = layout.cut(first, last, problem.resources)
        else:
            laid_out = lay_out(problem, first, last)
        self.calendar = laid_out.calendar
        self.all = laid_out.all
        self.practice_hours = laid_out.practice_hours
        self.opening = laid_out.opening
        self.own_open = laid_out.own_open
        self.open = laid_out.open
        self.clear = laid_out.clear
        self.rule_minutes = laid_out.rule_minutes
        self.resources = {resource.id: resource for resource in problem.resources}
        self.group_of = {
            resource.id: f"alone {resource.id}" if resource.person is None else f"person {resource.person}"
            for resource in problem.resources
        }
        """Whose busy time a resource shares: its person's, or nobody's."""
        self.members: dict[str, list[Resource]] = {}
        for resource in problem.resources:
            self.members.setdefault(self.group_of[resource.id], []).append(resource)
        self._room = LEVELS
        self._busy = BusyReader(self.calendar.origin, self.calendar.size)
        self.taken = {group: self._taken(members) for group, members in self.members.items()}
        """Minutes in which at least one, at least two, … units of a group are taken."""
        self.grids: dict[tuple[Grid, str | None], Minutes] = {}
        """Kept by `grid.grid_minutes`: a grid and what it counts from."""
        self._denied: dict[tuple[str, str | None], tuple[Minutes, list[tuple[timedelta, Minutes]]]] = {}
        self._workable: dict[tuple[str, Minutes], Runs] = {}

    def cover(self, first: datetime, last: datetime, more: int) -> bool:
        """Whether the dates from one instant to the other are laid out, and so many more on either side."""
        calendar, midnights = self.calendar, self.calendar.midnights
        if more >= len(midnights):
            return False
        return midnights[more] <= calendar.minute_at(first) and calendar.minute_at(last) < midnights[-1 - more]

    def serves(self, problem: SlotProblem) -> bool:
        """Whether another question is about the same schedule."""
        mine = self.problem
        return (mine.resources is problem.resources or mine.resources == problem.resources) and (
            mine.timezone,
            mine.closures,
            mine.hours,
            mine.rules,
        ) == (problem.timezone, problem.closures, problem.hours, problem.rules)

    def denied(self, resource: str, appointment_type: str | None) -> tuple[Minutes, list[tuple[timedelta, Minutes]]]:
        """Minutes in which rules keep a type off a resource: those that stand, and those that are released in time."""
        if not self.problem.rules:
            return 0, []
        key = resource, appointment_type
        if key not in self._denied:
            standing = 0
            released = []
            for rule, minutes in zip(self.problem.rules, self.rule_minutes, strict=True):
                if forbids(rule, resource, appointment_type):
                    if rule.release is None:
                        standing |= minutes
                    else:
                        released.append((rule.release, minutes))
            self._denied[key] = standing, released
        return self._denied[key]

    def workable(self, resource: str, appointment_type: str | None) -> Runs:
        """When the resource can work for the type, standing rules included; kept for the next question."""
        standing, _ = self.denied(resource, appointment_type)
        key = resource, standing
        if key not in self._workable:
            levels, capacity = self.taken[self.group_of[resource]], self.resources[resource].capacity
            full = levels[capacity - 1] if capacity <= len(levels) else 0
            free = without(self.open[resource], full)
            if self.clear[resource] is not self.all:
                free &= self.clear[resource]
            self._workable[key] = Runs(without(free, standing) if standing else free)
        return self._workable[key]

    def _taken(self, members: list[Resource]) -> tuple[Minutes, ...]:
        capacity = max(member.capacity for member in members)
        if capacity == 1:
            once = 0
            for member in members:
                once |= self._busy.taken_by(member.busy)
            return (once,) if once else ()
        spans = [stretch for member in members for stretch in self._busy.stretches(member.busy)]
        self._room -= min(depth(spans), capacity) * self.calendar.size // 8
        if self._room < 0:
            number = self.problem.resources.index(members[0])
            raise ProblemError(f"resources[{number}].busy", "overlaps itself too often to be laid out")
        return levels(spans, self.calendar.size, capacity)


def forbids(rule: Rule, resource: str, appointment_type: str | None) -> bool:
    """Whether a rule, where it holds, keeps an appointment type (None: a commitment, of no type) off a resource."""
    if rule.resources is not None and resource not in rule.resources:
        return False
    named = rule.appointment_types is None or appointment_type in rule.appointment_types
    return named if rule.effect == "deny" else not named
