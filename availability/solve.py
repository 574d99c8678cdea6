"""The walk from a question to its answer: masks, gates, seats, offer."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from availability.answer import Answer, Assignment, Slot
from availability.board import Board
from availability.check import check, check_question
from availability.gates import Gates
from availability.local_time import DAY, instant_of
from availability.masks import Masks
from availability.plan import Choice, Plan, plan_of_visits
from availability.problem import SlotProblem
from availability.seating import seat_all


def prepare(problem: SlotProblem) -> Masks:
    """The schedule of a problem as masks, to be kept for further questions on the same schedule and dates."""
    check(problem)
    plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
    return Masks(problem, *_dates(problem, plan))


def solve(problem: SlotProblem, *, masks: Masks | None = None) -> Answer:
    """Every start at which the visits can be booked.

    `masks` may come from `prepare` with an earlier problem; where they do not fit this one, they are left aside.
    """
    plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
    if masks is not None and masks.serves(problem, *_dates(problem, plan)):
        check_question(problem)
    else:
        masks = prepare(problem)
    gates = Gates(masks, problem)
    board = Board(masks, problem.now, 0, masks.calendar.size)
    seating = seat_all(board, plan, gates.starts, gates)
    slots = [
        Slot(
            start=instant_of(masks.calendar.origin + start),
            end=instant_of(masks.calendar.origin + start + plan.length),
            resources=_resources(plan, choice, len(problem.visits)),
        )
        for start, choice in seating.choices().items()
    ]
    return Answer(slots=slots)


def _dates(problem: SlotProblem, plan: Plan) -> tuple[date, date]:
    zone = ZoneInfo(problem.timezone)
    margin = DAY * (1 + (max(plan.before, plan.reach) // 1440 + 1))
    return problem.window.start.astimezone(zone).date() - margin, problem.window.end.astimezone(zone).date() + margin


def _resources(plan: Plan, choice: Choice, visits: int) -> Assignment | list[Assignment]:
    each: list[Assignment] = [{} for _ in range(visits)]
    for seat, resources in zip(plan.seats, choice, strict=True):
        for visit in seat.visits:
            each[visit][seat.role] = list(resources)
    return each[0] if visits == 1 else each
