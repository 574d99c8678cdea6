"""The walk from a question to its answer: masks, gates, seats, commitments, offer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import repeat
from operator import add
from zoneinfo import ZoneInfo

import msgspec

from availability.answer import Answer, Assignment, Slot
from availability.check import check, check_question, check_resources
from availability.layout import Layout, lay_out
from availability.local_time import DAY, lasting
from availability.masks import Masks
from availability.model import EFFORT
from availability.offers import offered
from availability.plan import Choice, Plan, length_of
from availability.problem import NOTHING, SlotProblem, Visit
from availability.question import Question
from availability.seating import Served
from availability.spans import Span

FURTHEST = timedelta(days=400)
"""How far after the window `next` is looked for where no horizon ends the search before."""


def prepare(problem: SlotProblem) -> Masks:
    """The schedule of a problem as masks, to be kept for further questions on the same schedule and dates."""
    check(problem)
    return Masks(problem, *dates_of(problem))


def laid_out(problem: SlotProblem) -> Layout:
    """The standing schedule of a problem as masks, to be kept for as long as it stands."""
    check(problem)
    return lay_out(problem, *dates_of(problem))


def solve(
    problem: SlotProblem, *, masks: Masks | None = None, layout: Layout | None = None, effort: float = EFFORT
) -> Answer:
    """Every start at which the visits can be booked.

    `masks` may come from `prepare` with an earlier problem, `layout` from `laid_out` with one whose resources are these
    or more; where they do not fit this problem, they are left aside.
    `effort` limits each call of CP-SAT; what it leaves open is told in `warnings` and not offered.
    """
    question = Question(problem, masks_for(problem, masks, layout), effort)
    slots = _slots(question)
    if slots:
        return Answer(slots=slots, warnings=question.warnings)
    following, warnings = _next(problem, effort)
    return Answer(slots=[], next=following, warnings=[*question.warnings, *warnings])


def masks_for(problem: SlotProblem, masks: Masks | None, layout: Layout | None = None) -> Masks:
    """The masks that were kept, where they serve this problem; else its own. The problem is checked either way."""
    if masks is None or not masks.serves(problem):
        if layout is None or not layout.fits(problem):
            return prepare(problem)
        # What it is made of was checked when it was.
        check_resources(problem)
        check_question(problem)
        return Masks(problem, *dates_of(problem), layout)
    check_question(problem)
    return masks if masks.cover(*_reach_of(problem)) else Masks(problem, *dates_of(problem))


def dates_of(problem: SlotProblem) -> tuple[date, date]:
    """First and last local date that can matter."""
    first, last, more = _reach_of(problem)
    zone = ZoneInfo(problem.timezone)
    return first.astimezone(zone).date() - DAY * more, last.astimezone(zone).date() + DAY * more


def _reach_of(problem: SlotProblem) -> tuple[datetime, datetime, int]:
    """First and last instant of the window and the commitments, and how many dates on either side may reach there."""
    first, last = problem.window.start, problem.window.end
    longest = sum(map(_length_with_buffers, problem.visits), NOTHING)
    for protected in problem.protect:
        longest = max(longest, _length_with_buffers(protected.visit))
    for commitment in problem.commitments:
        longest = max(longest, length_of(commitment.steps))
        first, last = min(first, commitment.earliest), max(last, commitment.latest)
    return first, last, 2 + longest.days


def _length_with_buffers(visit: Visit) -> timedelta:
    return visit.buffer_before + length_of(visit.steps) + visit.buffer_after


def _next(problem: SlotProblem, effort: float) -> tuple[datetime | None, list[str]]:
    """The first start after the window, looked for month by month, and what keeps it from being sure."""
    begin = problem.window.end
    furthest = begin + FURTHEST
    horizon = problem.visits[0].horizon
    end_of_horizon = None if horizon is None else problem.now + horizon + timedelta(minutes=1)
    last = furthest if end_of_horizon is None else min(furthest, end_of_horizon)
    unsure: list[str] = []
    while begin < last:
        end = min(begin + timedelta(days=31), last)
        later = msgspec.structs.replace(problem, protect=(), window=Span(start=begin, end=end))
        question = Question(later, Masks(later, *dates_of(later)), effort)
        starts = question.served().starts
        unsure += question.left_out
        if starts:
            return question.masks.calendar.instant(starts[0]), unsure
        begin = end
    if last == furthest:
        unsure.append(f"the next start was looked for up to {furthest:%Y-%m-%d} and not further")
    return None, unsure


def _slots(question: Question) -> list[Slot]:
    """The offered starts as they are told; those with the same choice share their witness."""
    problem = question.problem
    scores: Iterable[int] = repeat(0)
    if problem.protect or problem.offer.policy != "all":
        offers = offered(question)
        served = Served([each.start for each in offers], range(len(offers)), [each.choice for each in offers])
        scores = [each.score for each in offers]
    else:
        served = question.served()
    starts = question.masks.calendar.instants(served.starts)
    ends = map(add, starts, repeat(lasting(question.plan.length)))
    witnesses = [_resources(question.plan, choice, len(problem.visits)) for choice in served.choices]
    return list(map(Slot, starts, ends, map(witnesses.__getitem__, served.numbers), scores))


def _resources(plan: Plan, choice: Choice, visits: int) -> Assignment | list[Assignment]:
    if visits == 1:
        return {seat.role: list(resources) for seat, resources in zip(plan.seats, choice, strict=True)}
    each: list[Assignment] = [{} for _ in range(visits)]
    for seat, resources in zip(plan.seats, choice, strict=True):
        for visit in seat.visits:
            each[visit][seat.role] = list(resources)
    return each
