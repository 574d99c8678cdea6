"""A stretch of the schedule on which seats are tried: a slice of the masks, and what has been placed there besides.

Boards are values. `taking` gives another board; masks are cut out when they are first looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from availability.bits import Minutes, Stretch, runs, shifted, span, stacked, without
from availability.local_time import minute_from
from availability.masks import Masks
from availability.plan import Seat, Work, most_at_once

Taking = tuple[str, Stretch]
"""A resource and the minutes of the board that something takes of it."""


class Board:
    """Minutes `[begin, end)` of the masks; bit 0 is `begin`."""

    def __init__(self, masks: Masks, now: datetime, begin: int, end: int) -> None:
        self.masks = masks
        self.now = now
        self.begin = begin
        self.size = end - begin
        self._whole = begin == 0 and end == masks.calendar.size
        self.all: Minutes = masks.all if self._whole else span(0, self.size)
        self._as_kept = self._whole
        """Whether it is what the masks say, with nothing more taken."""
        self._taken: dict[str, tuple[Minutes, ...]] = {}
        self._free: dict[tuple[str, int], Minutes] = {}
        self._workable: dict[tuple[str, str | None], Minutes] = {}

    def taking(self, taken: Iterable[Taking]) -> Board:
        """The same board with more of some resources taken."""
        board = Board(self.masks, self.now, self.begin, self.begin + self.size)
        board._taken = self._taken.copy()  # another of our own kind
        board._as_kept = False
        groups = set()
        for resource, stretch in taken:
            group = self.masks.group_of[resource]
            groups.add(group)
            board._taken[group] = stacked(board.taken(group), span(*stretch))
        members = {each.id for group in groups for each in self.masks.members[group]}
        board._free = {key: free for key, free in self._free.items() if key[0] not in members}
        board._workable = self._workable  # what does not change is shared
        return board

    def taken(self, group: str) -> tuple[Minutes, ...]:
        """Minutes in which at least one, at least two, … units of the group are taken."""
        if group not in self._taken:
            self._taken[group] = tuple(self.cut(level) for level in self.masks.taken[group])
        return self._taken[group]

    def free(self, resource: str, spare: int) -> Minutes:
        """Minutes in which the resource is not blocked off and has `spare` units or more left."""
        key = resource, spare
        if key not in self._free:
            allowed = self.masks.resources[resource].capacity - spare
            levels = self.taken(self.masks.group_of[resource])
            clear = self.cut(self.masks.clear[resource]) if allowed >= 0 else 0
            self._free[key] = without(clear, levels[allowed]) if 0 <= allowed < len(levels) else clear
        return self._free[key]

    def workable(self, resource: str, appointment_type: str | None) -> Minutes:
        """Minutes in which hours and standing rules let the resource serve the type."""
        key = resource, appointment_type
        if key not in self._workable:
            standing, _ = self.masks.denied(resource, appointment_type)
            self._workable[key] = self.cut(without(self.masks.open[resource], standing))
        return self._workable[key]

    def fits(self, seat: Seat, resource: str) -> Minutes:
        """Starts at which the resource alone can serve the seat."""
        starts = self.all
        for number, work in enumerate(seat.works):
            runs_begin = shifted(self._runs(resource, work), -work.begin)
            starts = starts & runs_begin if number or work.begin else runs_begin
            if not starts:
                return 0
            for release, denied in self.masks.denied(resource, work.appointment_type)[1]:
                untouched = shifted(runs(without(self.all, self.cut(denied)), work.length), -work.begin)
                touched = without(self.from_now(release, -work.visit_begin), untouched)
                starts = without(starts, touched)
        for begin, end in seat.buffers:
            starts &= shifted(runs(self.free(resource, 1), end - begin), -begin)
        return starts

    def _runs(self, resource: str, work: Work) -> Minutes:
        """Minutes from which on the resource is open, free and allowed for as long as the work takes."""
        if self._as_kept:
            return self.masks.workable(resource, work.appointment_type).of(work.length)
        return runs(self.free(resource, 1) & self.workable(resource, work.appointment_type), work.length)

    def fits_together(self, served: list[tuple[Seat, str]]) -> Minutes:
        """Starts at which resources that share their busy time can serve several seats, each of which fits alone."""
        starts = self.all
        stretches = [stretch for seat, _ in served for stretch in seat.taken]
        for begin, end, units in most_at_once(stretches):
            for resource in {
                resource for seat, resource in served if any(b < end and begin < e for b, e in seat.taken)
            }:
                starts &= shifted(runs(self.free(resource, units), end - begin), -begin)
        return starts

    def from_now(self, passed: timedelta, later: int) -> Minutes:
        """Minutes from `now` + `passed` on, moved."""
        first = minute_from(self.now + passed) - self.masks.calendar.origin - self.begin + later
        return span(first, self.size) if first < self.size else 0

    def cut(self, mask: Minutes) -> Minutes:
        """A set of the masks' minutes as the board's."""
        return mask if self._whole else (mask >> self.begin) & self.all
