"""Why a start is not offered: the smallest sets of facts whose removal would make it bookable.

CP-SAT places the visits at that start and every commitment somewhere, and may take facts away to do so, as few as it
can. A set that it found is forbidden, together with all that contain it, before it is asked again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from availability.answer import Explanation, Fact
from availability.bits import Minutes, overlap, stretches_of, without
from availability.check import check_instant, check_question
from availability.commitments import Movable, groups_of
from availability.errors import ProblemError
from availability.facts import Facts, Key
from availability.masks import Masks
from availability.model import EFFORT
from availability.plan import Seat, length_of, plan_of_visits
from availability.problem import Commitment, SlotProblem
from availability.question import Question
from availability.solve import masks_for
from availability.spans import Span

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

SETS = 3
"""So many sets of facts are told at most."""

MINUTE = timedelta(minutes=1)

FACT = 1000
"""What taking a fact away costs; a resource's capacity one more, so that it is named where nothing else would do."""


def explain(
    problem: SlotProblem, start: datetime, *, masks: Masks | None = None, effort: float = EFFORT
) -> Explanation:
    """Why the visits cannot start at `start`, whether or not that lies in the window."""
    check_instant(start, "start")
    if start.second or start.microsecond:
        raise ProblemError("start", "is no whole minute")
    check_question(problem)
    at_start = msgspec.structs.replace(
        problem,
        window=Span(start=start, end=start + timedelta(minutes=1)),
        commitments=_within_reach(problem, start),
        protect=(),
    )
    question = Question(at_start, masks_for(at_start, masks), effort)
    if question.served().starts:
        return Explanation(bookable=True)
    return Explanation(bookable=False, blockers=_Relaxation(question, start).smallest_sets(effort))


def _within_reach(problem: SlotProblem, start: datetime) -> tuple[Commitment, ...]:
    """The commitments that the visits could push around, one by the other, if everybody could serve everything.

    Those of other days have no part in the explanation, and need not be placed for it.
    """
    plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
    begin, end = start - MINUTE * plan.before, start + MINUTE * plan.reach
    rest = list(problem.commitments)
    reached: set[str] = set()
    while True:
        new = [each for each in rest if each.earliest < end and begin < each.latest + length_of(each.steps)]
        if not new:
            return tuple(each for each in problem.commitments if each.id in reached)
        reached |= {each.id for each in new}
        rest = [each for each in rest if each.id not in reached]
        begin = min(begin, *(each.earliest for each in new))
        end = max(end, *(each.latest + length_of(each.steps) for each in new))


class _Piece(NamedTuple):
    """Time that one item takes of a resource if the resource serves a seat."""

    resource: str
    of_visits: bool
    start: cp_model.LinearExprT
    length: int
    serves: cp_model.IntVar
    interval: cp_model.IntervalVar


class _Relaxation:
    """The model: a literal for every fact that is gone, and the visits and commitments to be placed."""

    def __init__(self, question: Question, start: datetime) -> None:
        from ortools.sat.python import cp_model  # noqa: PLC0415  # as in `model`

        self.question = question
        self.gates = question.gates
        self.model = cp_model.CpModel()
        self.gone: dict[Key, cp_model.IntVar] = {}
        self.pieces: list[_Piece] = []
        masks = question.masks
        minute = masks.calendar.minute_at(start)
        self.on = masks.calendar.date_at(minute)
        midnight, next_midnight = masks.calendar.day(self.on)
        begin, end = minute - question.plan.before, minute + question.plan.reach
        movables = question.accepted.touching(groups_of(question.plan, masks), begin, end)
        self.board = question.accepted.board_for(movables, min(begin, midnight), max(end, next_midnight))
        self.start = minute - self.board.begin
        self.facts = Facts(question.problem, self.board, self.on)
        self.crowded = self._crowded()
        self.start_is_in_time_and_under_the_caps()
        visit_seats = self.visits_start_there()
        self.first_need_is_on_its_grid(visit_seats)
        self.caps_per_resource_hold(visit_seats)
        for each in movables:
            self.commitment_finds_its_place(each)
        self.nobody_gives_more_than_his_capacity()

    def smallest_sets(self, effort: float) -> list[list[Fact]]:
        """Up to three sets, fewest facts first."""
        from ortools.sat.python import cp_model  # noqa: PLC0415  # as in `model`

        cost = [(FACT + (key.kind == "capacity")) * literal for key, literal in self.gone.items()]
        self.model.minimize(sum(cost))
        found: list[list[Fact]] = []
        while len(found) < SETS:
            solver = cp_model.CpSolver()
            solver.parameters.num_workers = 1
            solver.parameters.random_seed = 0
            solver.parameters.max_deterministic_time = effort
            if solver.solve(self.model) != cp_model.OPTIMAL:
                # None is left, or it would not be sure to be the smallest.
                break
            gone = [key for key, literal in self.gone.items() if solver.value(literal)]
            found.append([self.facts.named(key) for key in gone])
            self.model.add_bool_or([self.gone[key].negated() for key in gone])
        return found

    def start_is_in_time_and_under_the_caps(self) -> None:
        """Notice, horizon and the caps per type stand or are gone, whoever serves."""
        problem = self.question.problem
        first = problem.visits[0]
        start = problem.window.start
        everyone = tuple(range(len(problem.visits)))
        needed = []
        if start < problem.now + first.notice:
            needed.append(Key("notice"))
        if first.horizon is not None and start > problem.now + first.horizon:
            needed.append(Key("horizon"))
        for number, visit in enumerate(problem.visits):
            new = self.gates.alike(number, everyone)
            if visit.max_per_day is not None and visit.booked_on.get(self.on, 0) + new > visit.max_per_day:
                needed.append(Key("cap"))
        for key in needed:
            self.model.add(self._gone(key) == 1)

    def visits_start_there(self) -> list[dict[str, cp_model.IntVar]]:
        """Every seat of the visits is filled by resources against which nothing stands any more."""
        seats = []
        for seat in self.question.plan.seats:
            serves = self._serves(seat, self.start, of_visits=True)
            for resource, literal in serves.items():
                for key, starts in self.facts.against(seat, resource):
                    if starts >> self.start & 1:
                        self.model.add_bool_or(self._lifted(key, resource)).only_enforce_if(literal)
            self.model.add(sum(serves.values()) == seat.count)
            seats.append(serves)
        return seats

    def first_need_is_on_its_grid(self, visit_seats: list[dict[str, cp_model.IntVar]]) -> None:
        """The start is on the grid of whoever serves the first need, or the grid is gone."""
        for seat, serves in zip(self.question.plan.seats, visit_seats, strict=True):
            for resource, literal in serves.items() if 0 in seat.leads else ():
                ways = self.facts.ways_onto_grid(resource, self.start)
                taken = []
                for way in ways:
                    taken.append(self.model.new_bool_var(""))
                    for key in way:
                        self.model.add_implication(taken[-1], self._gone(key))
                self.model.add_bool_or(taken).only_enforce_if(literal)

    def caps_per_resource_hold(self, visit_seats: list[dict[str, cp_model.IntVar]]) -> None:
        """Whoever serves a first need has visits left that day, or the cap is gone."""
        seats = self.question.plan.seats
        for seat, serves in zip(seats, visit_seats, strict=True):
            for resource, literal in serves.items():
                for visit in seat.leads:
                    left = self.gates.left_on(self.on, visit, resource)
                    if left is not None:
                        counted = [
                            other_serves[resource] * self.gates.alike(visit, other.leads)
                            for other, other_serves in zip(seats, visit_seats, strict=True)
                            if resource in other_serves
                        ]
                        stands = self._gone(Key("cap", resource)).negated()
                        self.model.add(sum(counted) <= left).only_enforce_if(literal, stands)

    def commitment_finds_its_place(self, movable: Movable) -> None:
        """At a start, and with resources, against which nothing stands any more; or the commitment is gone."""
        starts = movable.starts_on(self.board)
        start = self.model.new_int_var_from_domain(_domain(starts), movable.id)
        gone = self._gone(Key("commitment", movable.id))
        for seat in movable.plan.seats:
            serves = self._serves(seat, start, of_visits=False)
            for resource, literal in serves.items():
                for key, taken in self.facts.against(seat, resource):
                    if starts & taken:
                        stands = [each.negated() for each in self._lifted(key, resource)]
                        allowed = self.model.add_linear_expression_in_domain(start, _domain(without(starts, taken)))
                        allowed.only_enforce_if(literal, *stands)
            self.model.add(sum(serves.values()) + seat.count * gone == seat.count)

    def nobody_gives_more_than_his_capacity(self) -> None:
        """While a resource serves, its capacity holds what it and its person's other columns give, or it is gone.

        Each piece carries a guard that fills all but the capacity of its resource. Only so is a time at which nothing
        of ours takes place free of conditions, however often it is booked already.
        """
        masks = self.question.masks
        by_group: dict[str, list[_Piece]] = {}
        for piece in self.pieces:
            by_group.setdefault(masks.group_of[piece.resource], []).append(piece)
        for pieces in by_group.values():
            capacities = [masks.resources[piece.resource].capacity for piece in pieces]
            taken = self._busy_with_capacity(pieces[0].resource) if max(capacities) > 1 else []
            intervals = [*taken, *(piece.interval for piece in pieces)]
            room = len(intervals)
            for piece, capacity in zip(pieces, capacities, strict=True):
                if capacity >= room:
                    continue
                guard = piece.interval
                if piece.resource in self.crowded:
                    guards = self.model.new_bool_var("")
                    lifted = self._gone(Key("capacity", piece.resource))
                    self.model.add_bool_or([piece.serves.negated(), lifted, guards])
                    guard = self.model.new_optional_fixed_size_interval_var(piece.start, piece.length, guards, "")
                self.model.add_cumulative([*intervals, guard], [*[1] * room, room - capacity], room)
        for resource in self.crowded:
            # Capacity is a fact only where the visits themselves need more of it, not instead of someone's appointment.
            ours = [
                piece.serves
                for piece in self.pieces
                if piece.of_visits and masks.group_of[piece.resource] == masks.group_of[resource]
            ]
            self.model.add(sum(ours) > 1).only_enforce_if(self._gone(Key("capacity", resource)))

    def _busy_with_capacity(self, resource: str) -> list[cp_model.IntervalVar]:
        return [
            self.model.new_optional_fixed_size_interval_var(begin, end - begin, self._gone(key).negated(), "")
            for key, (begin, end) in self.facts.busy(resource)
        ]

    def _serves(self, seat: Seat, start: cp_model.LinearExprT, *, of_visits: bool) -> dict[str, cp_model.IntVar]:
        """A literal for each candidate, with the time that it takes."""
        serves = {}
        for resource in seat.candidates:
            literal = self.model.new_bool_var(f"{resource} serves {seat.role}")
            serves[resource] = literal
            for begin, end in seat.taken:
                interval = self.model.new_optional_fixed_size_interval_var(start + begin, end - begin, literal, "")
                self.pieces.append(_Piece(resource, of_visits, start + begin, end - begin, literal, interval))
        return serves

    def _crowded(self) -> set[str]:
        """Resources that the visits may need more of, at one time, than there is."""
        seats = self.question.plan.seats
        group_of = self.question.masks.group_of
        crowded = set()
        for number, seat in enumerate(seats):
            for position, other in enumerate(seats[:number]):
                if overlap(seat.taken, other.taken):
                    groups, others = ({group_of[each] for each in seats[n].candidates} for n in (number, position))
                    both = (*seat.candidates, *other.candidates)
                    crowded |= {each for each in both if group_of[each] in groups & others}
        return crowded

    def _lifted(self, key: Key, resource: str) -> list[cp_model.IntVar]:
        """What lifts a fact that stands against a resource: its removal, and unlimited capacity lifts busy time."""
        if key.kind == "busy" and resource in self.crowded:
            return [self._gone(key), self._gone(Key("capacity", resource))]
        return [self._gone(key)]

    def _gone(self, key: Key) -> cp_model.IntVar:
        if key not in self.gone:
            self.gone[key] = self.model.new_bool_var(f"{key.kind} {key.owner} {key.number} is gone")
        return self.gone[key]


def _domain(starts: Minutes) -> cp_model.Domain:
    from ortools.sat.python import cp_model  # noqa: PLC0415  # as in `model`

    return cp_model.Domain.from_intervals([[begin, end - 1] for begin, end in stretches_of(starts)])
