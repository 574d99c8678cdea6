"""Everything that can stand in the way, fact by fact, and which starts each fact takes from whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import combinations
from typing import NamedTuple

from availability.answer import Fact, Kind
from availability.bits import Minutes, Stretch, runs, shifted, span, without
from availability.board import Board
from availability.grid import grid_from
from availability.layout import stretches
from availability.masks import forbids
from availability.plan import Seat, Work
from availability.problem import Grid, Resource, SlotProblem


class Key(NamedTuple):
    """What tells one fact from another: its kind, whose it is, and which one of several."""

    kind: Kind
    owner: str = ""
    number: int = 0


class Facts:
    """The facts of one problem, on one board, about a start on the local date `on`."""

    def __init__(self, problem: SlotProblem, board: Board, on: date) -> None:
        self.problem = problem
        self.board = board
        self.masks = board.masks
        self.on = on
        self.closures = list(self._closures())
        """Those that touch the board, with their minutes."""
        self._known_block_offs: dict[str, list[Stretch]] = {}
        self._known_busy: dict[str, list[tuple[Key, Stretch]]] = {}
        self._known_grids: dict[tuple[Grid, Minutes], Minutes] = {}

    def against(self, seat: Seat, resource: str) -> Iterator[tuple[Key, Minutes]]:
        """What takes which starts from a resource that would serve a seat alone.

        Busy time of a resource with capacity is left out: no single span of it stands in the way by itself.
        """
        for work in seat.works:
            for key, closed in self.closures:
                yield key, self._touched(work, closed)
            if self.masks.practice_hours is not None:
                yield Key("practice_hours"), self._missed(work, self.masks.practice_hours)
            yield Key("hours", resource), self._missed(work, self.masks.own_open[resource])
            yield from self._rules(work, resource)
        for number, stretch in enumerate(self._block_offs(resource)):
            yield Key("block_off", resource, number), self._met(seat, self._on_board(stretch))
        if self.masks.resources[resource].capacity == 1:
            for key, stretch in self.busy(resource):
                yield key, self._met(seat, stretch)

    def busy(self, resource: str) -> list[tuple[Key, Stretch]]:
        """The busy spans that count for a resource, those of its person's other columns among them."""
        group = self.masks.group_of[resource]
        if group not in self._known_busy:
            self._known_busy[group] = list(self._busy_of(self.masks.members[group]))
        return self._known_busy[group]

    def ways_onto_grid(self, resource: str, start: int) -> list[set[Key]]:
        """Sets of facts of which one must be gone for `start` to be on the grid where `resource` leads.

        An empty set says that nothing need be gone. A grid counted from opening changes with the hours: without a
        closure there may be an opening to count from.
        """
        visit = self.problem.visits[0]
        grid = visit.grid_for.get(resource, visit.grid)
        practice, own = Key("practice_hours"), Key("hours", resource)
        closed_today = {key for key, closed in self.closures if closed & span(*self.masks.calendar.day(self.on))}
        changing: list[set[Key]] = []
        if grid.starts is None and grid.anchor == "opening":
            changing = [closed_today] if closed_today else []
            changing += [{own}] if self.masks.practice_hours is None else [{practice}, {own}]
        ways: list[set[Key]] = []
        for size in range(len(changing) + 1):
            for several in combinations(changing, size):
                gone = set[Key]().union(*several)
                opening = self.masks.all
                if self.masks.practice_hours is not None and practice not in gone:
                    opening = self.masks.practice_hours
                elif own not in gone:
                    opening = self.masks.own_open[resource]
                for key, closed in self.closures:
                    if key not in gone:
                        opening = without(opening, closed)
                if self._grid(grid, opening) >> start & 1:
                    ways.append(gone)
        return [*ways, {Key("grid", resource if resource in visit.grid_for else "")}]

    def _grid(self, grid: Grid, opening: Minutes) -> Minutes:
        """The grid on the board, counted from this opening."""
        key = grid, opening
        if key not in self._known_grids:
            self._known_grids[key] = self.board.cut(grid_from(self.masks.calendar, grid, opening))
        return self._known_grids[key]

    def named(self, key: Key) -> Fact:
        """What the fact is about."""
        match key.kind:
            case "closure":
                return Fact(kind="closure", date=self.problem.closures[key.number].first)
            case "block_off":
                begin, end = self._block_offs(key.owner)[key.number]
                return Fact(kind="block_off", resource=key.owner, start=self._instant(begin), end=self._instant(end))
            case "busy":
                busy = self.masks.resources[key.owner].busy[key.number]
                return Fact(kind="busy", resource=key.owner, start=busy.start, end=busy.end)
            case "rule":
                return Fact(kind="rule", rule=self.problem.rules[key.number].name)
            case "commitment":
                return Fact(kind="commitment", commitment=key.owner)
            case "hours" | "cap":
                return Fact(kind=key.kind, resource=key.owner or None, date=self.on)
            case _:
                return Fact(kind=key.kind, resource=key.owner or None)

    def _busy_of(self, members: list[Resource]) -> Iterator[tuple[Key, Stretch]]:
        first = self.masks.calendar.origin + self.board.begin
        last = first + self.board.size
        for member in members:
            edges = iter(member.busy.edges())
            for number, (start, end) in enumerate(zip(edges, edges, strict=True)):
                if first < end and start < last and start < end:
                    yield Key("busy", member.id, number), (max(start - first, 0), end - first)

    def _block_offs(self, resource: str) -> list[Stretch]:
        """One after the other, on the masks' minutes."""
        if resource not in self._known_block_offs:
            self._known_block_offs[resource] = [
                stretch
                for each in self.masks.resources[resource].block_offs
                for stretch in stretches(each, self.masks.calendar, widened=True)
            ]
        return self._known_block_offs[resource]

    def _closures(self) -> Iterator[tuple[Key, Minutes]]:
        calendar = self.masks.calendar
        for number, closure in enumerate(self.problem.closures):
            first, last = max(closure.first, calendar.first), min(closure.last, calendar.last)
            if first <= last:
                closed = span(calendar.day(first)[0], calendar.day(last)[1])
                if self.board.cut(closed):
                    yield Key("closure", number=number), closed

    def _rules(self, work: Work, resource: str) -> Iterator[tuple[Key, Minutes]]:
        for number, (rule, minutes) in enumerate(zip(self.problem.rules, self.masks.rule_minutes, strict=True)):
            if forbids(rule, resource, work.appointment_type):
                taken = self._touched(work, minutes)
                if rule.release is not None:
                    taken &= self.board.from_now(rule.release, -work.visit_begin)
                yield Key("rule", number=number), taken

    def _touched(self, work: Work, minutes: Minutes) -> Minutes:
        """Starts at which the work would touch some of the minutes."""
        return self._missed(work, without(self.masks.all, minutes))

    def _missed(self, work: Work, minutes: Minutes) -> Minutes:
        """Starts at which the work would take more than the minutes."""
        within = runs(self.board.cut(minutes), work.length)
        return without(self.board.all, shifted(within, -work.begin))

    def _met(self, seat: Seat, stretch: Stretch) -> Minutes:
        """Starts at which what the seat takes would overlap the stretch."""
        taken = 0
        for begin, end in seat.taken:
            taken |= span(stretch[0] - end + 1, stretch[1] - begin)
        return taken & self.board.all

    def _on_board(self, stretch: Stretch) -> Stretch:
        return stretch[0] - self.board.begin, stretch[1] - self.board.begin

    def _instant(self, minute: int) -> datetime:
        return self.masks.calendar.instant(minute)
