"""The question to CP-SAT: a start and resources for a visit, and a place for every commitment, at once.

What does not depend on the rest is decided before, by masks: a resource serves a seat only at the starts at which it
fits alone. What is left to the solver is that no one is asked for more than he can give. One function per constraint.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from availability.bits import Minutes, stretches_of, without
from availability.board import Board
from availability.commitments import Placing
from availability.gates import Gates
from availability.plan import Plan

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

EFFORT = 1.0
"""How much a solve may take, in CP-SAT's deterministic units (about seconds): the same on every machine."""

SMALL = 400
"""Up to so many intervals presolve costs more than it saves."""


class Item(NamedTuple):
    """Something to be placed: the visits, or a commitment."""

    plan: Plan
    starts: Minutes
    gates: Gates | None


class Verdict(Enum):
    """What the solver can say besides an example."""

    IMPOSSIBLE = "impossible"
    UNDECIDED = "undecided"


class _Piece(NamedTuple):
    """A stretch of time that an item takes of a resource if the resource serves a seat."""

    resource: str
    item: int
    begin: int
    size: int
    serves: cp_model.IntVar
    interval: cp_model.IntervalVar


class _Variables(NamedTuple):
    starts: list[cp_model.IntVar]
    serves: list[list[dict[str, cp_model.IntVar]]]
    """Per item and seat: whether a resource serves."""
    pieces: list[_Piece]


def find_places(board: Board, items: Sequence[Item], effort: float = EFFORT) -> list[Placing] | Verdict:
    """One way to place all items on the board; the visits' starts must lie on one local date, for the caps."""
    # ortools takes a second and 100 MB to import; most questions never need it.
    from ortools.sat.python import cp_model  # noqa: PLC0415

    model = cp_model.CpModel()
    variables = _Variables([], [], [])
    for item in items:
        if not each_serves_where_it_fits(model, variables, board, item):
            return Verdict.IMPOSSIBLE
    every_seat_is_filled(model, variables, items)
    nobody_gives_more_than_his_capacity(model, variables, board)
    caps_per_resource_hold(model, variables, board, items)

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = effort
    solver.parameters.cp_model_presolve = len(variables.pieces) > SMALL
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return Verdict.IMPOSSIBLE
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return Verdict.UNDECIDED
    return [
        Placing(
            item.plan,
            solver.value(start),
            tuple(tuple(name for name, serves in seat.items() if solver.value(serves)) for seat in seats),
        )
        for item, start, seats in zip(items, variables.starts, variables.serves, strict=True)
    ]


def each_serves_where_it_fits(model: cp_model.CpModel, variables: _Variables, board: Board, item: Item) -> bool:
    """A resource serves a seat only at starts at which it is open, free and allowed; False if some seat has nobody."""
    from ortools.sat.python import cp_model  # noqa: PLC0415

    def domain(starts: Minutes) -> cp_model.Domain:
        return cp_model.Domain.from_intervals([[begin, end - 1] for begin, end in stretches_of(starts)])

    fits: list[dict[str, Minutes]] = []
    starts = item.starts
    for seat in item.plan.seats:
        each = {}
        reachable = 0
        for resource in seat.candidates:
            fit = starts & board.fits(seat, resource)
            if item.gates and seat.leads:
                fit &= board.cut(item.gates.lead(seat.leads, resource))
            if fit:
                each[resource] = fit
                reachable |= fit
        fits.append(each)
        starts &= reachable
    if not starts:
        return False
    number = len(variables.starts)
    start = model.new_int_var_from_domain(domain(starts), f"start{number}")
    seats = []
    for seat, each in zip(item.plan.seats, fits, strict=True):
        serves = {}
        for resource, fit in each.items():
            if not fit & starts:
                continue
            serves[resource] = model.new_bool_var(f"{resource} serves {seat.role} of {number}")
            if without(starts, fit):
                model.add_linear_expression_in_domain(start, domain(fit & starts)).only_enforce_if(serves[resource])
            for begin, end in seat.taken:
                interval = model.new_optional_fixed_size_interval_var(start + begin, end - begin, serves[resource], "")
                variables.pieces.append(_Piece(resource, number, begin, end - begin, serves[resource], interval))
        seats.append(serves)
    variables.starts.append(start)
    variables.serves.append(seats)
    return True


def every_seat_is_filled(model: cp_model.CpModel, variables: _Variables, items: Sequence[Item]) -> None:
    """As many resources as the seat needs, those that are fixed among them."""
    for item, seats in zip(items, variables.serves, strict=True):
        for seat, serves in zip(item.plan.seats, seats, strict=True):
            model.add(sum(serves.values()) == seat.count)
            for resource in seat.fixed:
                model.add(serves.get(resource, 0) == 1)


def nobody_gives_more_than_his_capacity(model: cp_model.CpModel, variables: _Variables, board: Board) -> None:
    """Beside what is taken already, and shared by all resources of one person."""
    masks = board.masks
    by_group: dict[str, list[_Piece]] = {}
    for piece in variables.pieces:
        by_group.setdefault(masks.group_of[piece.resource], []).append(piece)
    for group, pieces in by_group.items():
        capacities = {masks.resources[piece.resource].capacity for piece in pieces}
        most = max(capacities)
        if most == 1:
            # What is taken already lies outside the starts that fit.
            model.add_no_overlap([piece.interval for piece in pieces])
            continue
        taken = [
            model.new_fixed_size_interval_var(begin, end - begin, "")
            for level in board.taken(group)[:most]
            for begin, end in stretches_of(level)
        ]
        intervals = [*taken, *(piece.interval for piece in pieces)]
        model.add_cumulative(intervals, [1] * len(intervals), most)
        for piece in pieces:
            # Someone with two columns of different capacity: while the smaller one serves, its capacity counts.
            less = most - masks.resources[piece.resource].capacity
            if less:
                model.add_cumulative([*intervals, piece.interval], [*[1] * len(intervals), less], most)


def caps_per_resource_hold(model: cp_model.CpModel, variables: _Variables, board: Board, items: Sequence[Item]) -> None:
    """Where one resource serves the first need of several visits, the day's cap counts them all."""
    for item, seats in zip(items, variables.serves, strict=True):
        if item.gates is None:
            continue
        day = board.masks.calendar.date_at(board.begin + item.starts.bit_length() - 1)
        for seat, serves in zip(item.plan.seats, seats, strict=True):
            for resource, literal in serves.items():
                for visit in seat.leads:
                    left = item.gates.left_on(day, visit, resource)
                    if left is None:
                        continue
                    counted = [
                        other_serves[resource] * item.gates.alike(visit, other.leads)
                        for other, other_serves in zip(item.plan.seats, seats, strict=True)
                        if resource in other_serves
                    ]
                    model.add(sum(counted) <= left).only_enforce_if(literal)
