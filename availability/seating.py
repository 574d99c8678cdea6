"""The kernel: who can fill the seats of a plan, for all starts at once.

A seat that shares nobody with another is an OR over its candidates; a plan is an AND over its seats. Seats that could
want the same resource at the same time form a cluster, which is searched: candidates are tried in the order listed,
and each branch carries the set of starts for which its choices work, so one branch settles many starts and a branch
without an unsettled start is cut off. The first choice found for a start is therefore the first in the listed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from availability.bits import Minutes, members, overlap, side_by_side, without
from availability.board import Board
from availability.gates import Gates
from availability.masks import Masks
from availability.plan import Choice, Plan, Seat

BRANCHES = 20_000
"""So many branches are searched for one cluster; what is unsettled then is left to CP-SAT."""

MOST_NUMBERED = 255
"""So many covers are told apart by a byte."""

_ONE_LESS = bytes([0, *range(MOST_NUMBERED)])


class Cover(NamedTuple):
    """Starts at which the same resources fill a cluster's seats."""

    starts: Minutes
    resources: tuple[tuple[str, ...], ...]


class Served(NamedTuple):
    """Starts in order, for each the number of the choice that serves it, and these choices."""

    starts: list[int]
    numbers: Sequence[int]
    choices: list[Choice]

    def each(self) -> Iterator[tuple[int, Choice]]:
        """Every start with its choice."""
        return zip(self.starts, map(self.choices.__getitem__, self.numbers), strict=True)


class Seating:
    """Starts at which all seats can be filled, and by whom."""

    def __init__(self, plan: Plan, starts: Minutes, unsettled: Minutes) -> None:
        self.plan = plan
        self.starts = starts
        self.unsettled = unsettled
        """Starts for which the search gave up; not among `starts`."""
        self.covers: list[tuple[tuple[int, ...], list[Cover]]] = []

    def choice_at(self, start: int) -> Choice:
        """The first choice in the order listed for one of the starts."""
        return self._choice([next(each for each in covers if each.starts >> start & 1) for _, covers in self.covers])

    def served(self) -> Served:
        """Every start with the first choice in the order listed."""
        starts = members(self.starts)
        if not starts:
            return Served([], [], [])
        numbers = [_numbers(self.starts, starts, covers) for _, covers in self.covers]
        if len(numbers) == 1:
            return Served(starts, numbers[0], [cover.resources for cover in self.covers[0][1]])
        together = list(zip(*numbers, strict=True))
        number_of = {each: number for number, each in enumerate(dict.fromkeys(together))}
        choices = [
            self._choice([covers[number] for (_, covers), number in zip(self.covers, each, strict=True)])
            for each in number_of
        ]
        return Served(starts, [number_of[each] for each in together], choices)

    def _choice(self, each_cover: list[Cover]) -> Choice:
        """What one cover for each cluster makes of the plan."""
        found: list[tuple[str, ...]] = [()] * len(self.plan.seats)
        for (seats, _), cover in zip(self.covers, each_cover, strict=True):
            for seat, resources in zip(seats, cover.resources, strict=True):
                found[seat] = resources
        return tuple(found)


def seat_all(board: Board, plan: Plan, wanted: Minutes, gates: Gates | None, branches: int = BRANCHES) -> Seating:
    """Seat the plan at the wanted starts (minutes of the board)."""
    clusters = clusters_of(plan, board.masks, gates)
    covers: dict[tuple[int, ...], list[Cover]] = {}
    for cluster in clusters:
        seat = plan.seats[cluster[0]]
        if len(cluster) == 1 and seat.count == 1:
            covers[cluster], wanted = _first_come(board, seat, wanted, gates)
            if not wanted:
                return Seating(plan, 0, 0)
    unsettled = 0
    for cluster in clusters:
        if cluster not in covers:
            options = [_options(board, plan.seats[number], wanted, gates) for number in cluster]
            search = _Search(board, plan, cluster, options, gates, branches)
            covers[cluster] = search.run(wanted)
            unsettled |= search.unsettled
            wanted &= search.found | search.unsettled
    seating = Seating(plan, without(wanted, unsettled) if unsettled else wanted, wanted & unsettled)
    seating.covers = [(cluster, covers[cluster]) for cluster in clusters]
    return seating


def _numbers(starts: Minutes, each_start: list[int], covers: list[Cover]) -> Sequence[int]:
    """For each of the starts the number of the one cover that it is in."""
    if len(covers) == 1:
        return bytes(len(each_start))
    if len(covers) > MOST_NUMBERED:
        return _numbers_one_by_one(each_start, covers)
    # The numbers of all starts' covers are written into the bytes of the starts, binary place by binary place and
    # from 1 on; the bytes that stay empty are left out.
    size = each_start[-1] // 8 + 1
    low_bits, highest_bits = side_by_side(b"\x7f", size), side_by_side(b"\x80", size)
    written = 0
    for place in range(len(covers).bit_length()):
        numbered = 0
        for number, cover in enumerate(covers, 1):
            if number >> place & 1:
                numbered |= cover.starts
        numbered &= starts
        # Whatever else is set in a byte carries into its highest bit, and no further.
        written |= (((numbered & low_bits) + low_bits | numbered) & highest_bits) >> (7 - place)
    numbers = written.to_bytes(size, "little").translate(_ONE_LESS, b"\0")
    # On most grids no byte holds two starts; where one does, there are fewer bytes than starts.
    return numbers if len(numbers) == len(each_start) else _numbers_one_by_one(each_start, covers)


def _numbers_one_by_one(starts: list[int], covers: list[Cover]) -> list[int]:
    """The same for any starts and any number of covers."""
    found = {}
    left = starts
    for number, cover in enumerate(covers):
        data = cover.starts.to_bytes(cover.starts.bit_length() // 8 + 1, "little")
        size = 8 * len(data)
        missed = []
        for start in left:
            if start < size and data[start >> 3] >> (start & 7) & 1:
                found[start] = number
            else:
                missed.append(start)
        left = missed
    return [found[start] for start in starts]


def clusters_of(plan: Plan, masks: Masks, gates: Gates | None) -> list[tuple[int, ...]]:
    """Seats (by number) that cannot be filled independently of one another."""
    clusters: list[set[int]] = []
    if len(plan.seats) == 1:
        return [(0,)]
    reach = [{masks.group_of[resource] for resource in seat.candidates} for seat in plan.seats]
    for number, seat in enumerate(plan.seats):
        joined = {number}
        apart = []
        for cluster in clusters:
            if any(reach[number] & reach[other] and _meet(seat, plan.seats[other], gates) for other in cluster):
                joined |= cluster
            else:
                apart.append(cluster)
        clusters = [*apart, joined]
    return sorted(tuple(sorted(cluster)) for cluster in clusters)


def _meet(seat: Seat, other: Seat, gates: Gates | None) -> bool:
    """Whether it matters that one resource serves both: at the same time, or under one cap."""
    if overlap(seat.taken, other.taken):
        return True
    return gates is not None and gates.leads_collide(seat, other)


def _first_come(board: Board, seat: Seat, wanted: Minutes, gates: Gates | None) -> tuple[list[Cover], Minutes]:
    """One resource for one seat: whoever is listed first; and the starts at which there is one.

    Nobody is looked at any more once every start is settled.
    """
    covers = []
    left = wanted
    for resource in seat.candidates:
        if not left:
            break
        mine = left & board.fits(seat, resource)
        if gates and seat.leads:
            mine &= board.cut(gates.lead(seat.leads, resource))
        if mine:
            covers.append(Cover(mine, ((resource,),)))
            left ^= mine
    return covers, wanted ^ left


def _options(board: Board, seat: Seat, wanted: Minutes, gates: Gates | None) -> list[tuple[str, Minutes]]:
    """Who can serve a seat alone, and when."""
    options = []
    for resource in seat.candidates:
        fit = wanted & board.fits(seat, resource)
        if gates and seat.leads:
            fit &= board.cut(gates.lead(seat.leads, resource))
        if fit:
            options.append((resource, fit))
    return options


class _Search:
    """Depth first through a cluster's choices, each branch with the starts for which it works."""

    def __init__(
        self,
        board: Board,
        plan: Plan,
        cluster: tuple[int, ...],
        options: list[list[tuple[str, Minutes]]],
        gates: Gates | None,
        branches: int,
    ) -> None:
        self.board = board
        self.gates = gates
        self.seats = [plan.seats[number] for number in cluster]
        self.places: list[tuple[Seat, list[tuple[str, Minutes]]]] = []
        for seat, able in zip(self.seats, options, strict=True):
            fixed = [[option for option in able if option[0] == resource] for resource in seat.fixed]
            others = [option for option in able if option[0] not in seat.fixed]
            self.places += [(seat, option) for option in fixed]
            self.places += [(seat, others)] * (seat.count - len(fixed))
        self.covers: list[Cover] = []
        self.found: Minutes = 0
        self.unsettled: Minutes = 0
        self._open: Minutes = 0
        self._branches = branches

    def run(self, wanted: Minutes) -> list[Cover]:
        """Settle the wanted starts."""
        self._open = wanted
        self._branch(wanted, [], 0)
        if self._branches < 0:
            self.unsettled = self._open
        self.found = without(wanted, self._open)
        return self.covers

    def _branch(self, starts: Minutes, chosen: list[str], listed_from: int) -> None:
        """Fill the next place; `listed_from`: a seat's resources are chosen in the order listed, each set once."""
        place = len(chosen)
        if place == len(self.places):
            self._open = without(self._open, starts)
            self.covers.append(Cover(starts, self._by_seat(chosen)))
            return
        seat, options = self.places[place]
        same_options_next = place + 1 < len(self.places) and self.places[place + 1][1] is options
        for position in range(listed_from, len(options)):
            resource, fit = options[position]
            rest = starts & self._open & fit
            if not rest:
                continue
            self._branches -= 1
            if self._branches < 0:
                return
            rest &= self._beside(seat, resource, chosen)
            if rest:
                self._branch(rest, [*chosen, resource], position + 1 if same_options_next else 0)

    def _beside(self, seat: Seat, resource: str, chosen: list[str]) -> Minutes:
        """Starts at which the resource can serve the seat beside what it, or its person, serves already."""
        group_of = self.board.masks.group_of
        served = [
            (other, name)
            for (other, _), name in zip(self.places, chosen, strict=False)
            if group_of[name] == group_of[resource]
        ]
        if not served:
            return self.board.all
        served.append((seat, resource))
        allowed = self.board.fits_together(served)
        if self.gates:
            leads = tuple(number for other, name in served if name == resource for number in other.leads)
            if len(leads) > len(seat.leads):
                allowed &= self.board.cut(self.gates.lead(leads, resource))
        return allowed

    def _by_seat(self, chosen: list[str]) -> tuple[tuple[str, ...], ...]:
        resources = iter(chosen)
        return tuple(tuple(next(resources) for _ in range(seat.count)) for seat in self.seats)
