"""Offering well: the witness that destroys least, what it destroys, and which starts to show.

A start's score is what booking it would take from the protected visits of the same local date. Of all resources that
could serve, those with the lowest score do; the search for them drops whatever already costs as much as the best found.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from itertools import groupby
from typing import NamedTuple

import msgspec

from availability.bits import Minutes, members, span, without
from availability.commitments import Placing, groups_of
from availability.coupled import Day
from availability.gates import Gates
from availability.plan import Choice, Plan, plan_of_visits
from availability.problem import Protected, SlotProblem
from availability.question import DayOfStarts, Question
from availability.seating import clusters_of
from availability.spans import Span

NOON = time(12)

ATTEMPTS = 5_000
"""So many partial choices are weighed for one start at most."""


class Offer(NamedTuple):
    """A start on the masks' minutes, who serves, and what that costs."""

    start: int
    choice: Choice
    score: int


def offered(question: Question) -> list[Offer]:
    """What the problem's policy offers, in order."""
    if question.problem.protect:
        offers = list(_scored(question))
    else:
        offers = [Offer(start, choice, 0) for start, choice in question.served().each()]
    policy = question.problem.offer
    if policy.policy == "all":
        return offers
    calendar = question.masks.calendar
    kept: list[Offer] = []
    for _, on_day in groupby(offers, key=lambda offer: calendar.date_at(offer.start)):
        day = list(on_day)
        afternoon = [calendar.local(offer.start).time() >= NOON for offer in day]
        kept += better_half(day, afternoon, policy.at_least)
    return kept


def better_half(offers: list[Offer], afternoon: list[bool], at_least: int) -> list[Offer]:
    """One day's better half by score, with the best of the morning and the best of the afternoon always among them.

    Equal scores are taken from morning and afternoon in turn. Each side has half of `at_least`, where it has so many.
    """
    sides: tuple[list[Offer], list[Offer]] = ([], [])
    for offer, late in zip(offers, afternoon, strict=True):
        sides[late].append(offer)
    ranked: list[tuple[int, int, Offer]] = []
    spread: set[int] = set()
    for side in sides:
        best_first = sorted(side, key=lambda offer: (offer.score, offer.start))
        ranked += [(offer.score, rank, offer) for rank, offer in enumerate(best_first)]
        spread |= {offer.start for offer in best_first[: at_least // 2]}
    in_turn = [offer.start for _, _, offer in sorted(ranked, key=lambda each: (each[0], each[1], each[2].start))]
    kept = spread | set(in_turn[: (len(offers) + 1) // 2])
    for start in in_turn:
        if len(kept) >= at_least:
            break
        kept.add(start)
    return [offer for offer in offers if offer.start in kept]


def _scored(question: Question) -> Iterator[Offer]:
    plans = [plan_of_visits((each.visit,), "back_to_back", ()) for each in question.problem.protect]
    seating = question.seating()
    for part in question.days(seating.starts | seating.unsettled, *plans):
        bookable = part.day.bookable(question.plan, part.starts)
        question.warn_undecided(part)
        scoring = _Scoring(question, part, plans, bookable)
        for start in members(bookable):
            choice, score = scoring.least_costly(start)
            yield Offer(part.day.board.begin + start, choice, score)
        if scoring.unsure:
            question.left_out.append(f"scores on {part.on} may be too high: not everything could be weighed in time")


class _Protected:
    """A visit whose starts on one day should not be lost."""

    def __init__(self, protected: Protected, plan: Plan, question: Question, part: DayOfStarts) -> None:
        self.visit = protected.visit
        self.weight = protected.weight
        self.plan = plan
        self.groups = groups_of(plan, question.masks)
        self._problem = question.problem
        self._part = part
        self._gates: dict[tuple[int, tuple[str, ...]], Gates] = {}
        day = part.day.asking(self.gates_after(0, ()))
        self.starts: Minutes = day.bookable(plan, part.minutes)
        self.undecided = day.undecided

    def gates_after(self, alike: int, led: tuple[str, ...]) -> Gates:
        """Its gates once visits have been booked: so many of its type, and with these resources in the lead."""
        key = alike, led
        if key not in self._gates:
            calendar = self._part.day.board.masks.calendar
            booked_on = {**self.visit.booked_on}
            booked_on[self._part.on] = booked_on.get(self._part.on, 0) + alike
            visit = msgspec.structs.replace(self.visit, booked_on=booked_on)
            window = Span(start=calendar.instant(0), end=calendar.instant(calendar.size))
            alone: SlotProblem = msgspec.structs.replace(
                self._problem, visits=(visit,), window=window, arrangement="back_to_back", same_roles=()
            )
            self._gates[key] = Gates(self._part.day.board.masks, alone, led)
        return self._gates[key]


class _Scoring:
    """What each choice at each start of one day would cost."""

    def __init__(self, question: Question, part: DayOfStarts, plans: list[Plan], bookable: Minutes) -> None:
        self.question = question
        self.day = part.day
        self.unsure = False
        """Whether some score may be too high."""
        masks = question.masks
        self.protected = [
            _Protected(protected, plan, question, part)
            for protected, plan in zip(question.problem.protect, plans, strict=True)
        ]
        wanted = frozenset[str]().union(*(each.groups for each in self.protected))
        wanted = wanted.union(*(each.groups for each in self.day.movables))
        self._weighed: list[int] = []
        """Seats whose resources make a difference, or hang together with such."""
        self._bound: set[int] = set()
        """Those of them that cannot be filled independently."""
        plan = question.plan
        for cluster in clusters_of(plan, masks, question.gates):
            groups = {masks.group_of[resource] for number in cluster for resource in plan.seats[number].candidates}
            if groups & wanted:
                self._weighed += cluster
                if self.day.movables or len(cluster) > 1 or plan.seats[cluster[0]].count > 1:
                    self._bound |= set(cluster)
        self._weighed.sort()
        self._fits = self.day.fits(plan, bookable)
        self._lost: dict[frozenset[tuple[str, int, int]], int] = {}
        self._attempts = 0
        self._best: tuple[Choice, int] | None = None

    def least_costly(self, start: int) -> tuple[Choice, int]:
        """The choice with the lowest score; of equal ones the first in the order listed."""
        self._best = None
        self._lost.clear()
        self._attempts = ATTEMPTS
        self._fill(self.question.plan, start)
        if self._best is None:
            choice = self.day.first_choices(self.question.plan, 1 << start)[start]
            self.unsure = True
            return choice, self._cost(Placing(self.question.plan, start, choice))
        return self._best

    def _fill(self, plan: Plan, start: int) -> None:
        """Fix the next place whose resource makes a difference; at the end compare with the best choice so far."""
        open_seats = [number for number in self._weighed if len(plan.seats[number].fixed) < plan.seats[number].count]
        if not open_seats:
            choice = self.day.first_choices(plan, 1 << start)[start]
            cost = self._cost(Placing(plan, start, choice))
            if self._best is None or cost < self._best[1]:
                self._best = choice, cost
            return
        number = open_seats[0]
        for resource in plan.seats[number].candidates:
            if resource in plan.seats[number].fixed or not self._fits[number].get(resource, 0) >> start & 1:
                continue
            self._attempts -= 1
            if self._attempts < 0:
                self.unsure = True
                return
            tried = plan.fixing(number, resource)
            if number in self._bound and not self.day.bookable(tried, 1 << start):
                continue
            fixed = tuple(seat.fixed for seat in tried.seats)
            if self._best is None or self._cost(Placing(tried, start, fixed)) < self._best[1]:
                self._fill(tried, start)

    def _cost(self, placing: Placing) -> int:
        """The weighted number of protected starts that are lost beside the placing, or a part of one."""
        taken = frozenset((resource, begin, end) for resource, (begin, end) in placing.taken)
        if taken not in self._lost:
            self._lost[taken] = sum(each.weight * self._lost_of(each, placing) for each in self.protected)
        return self._lost[taken]

    def _lost_of(self, protected: _Protected, placing: Placing) -> int:
        problem = self.question.problem
        alike = sum(visit.appointment_type == protected.visit.appointment_type for visit in problem.visits)
        led = sorted(
            resource
            for seat, resources in zip(placing.plan.seats, placing.choice, strict=True)
            for number in seat.leads
            if problem.visits[number].max_per_resource_day is not None
            for resource in resources
        )
        gates = protected.gates_after(alike, tuple(led))
        exposed = protected.starts
        capped = protected.visit.max_per_day is not None or (led and protected.visit.max_per_resource_day is not None)
        if not self.day.movables and not capped:
            # Only starts whose time overlaps what is taken, of somebody who could serve, can be lost.
            group_of = self.question.masks.group_of
            near: Minutes = 0
            for resource, (begin, end) in placing.taken:
                if group_of[resource] in protected.groups:
                    near |= span(begin - protected.plan.reach + 1, end + protected.plan.before)
            exposed &= near
            if not exposed:
                return 0
        after: Day = self.day.taking(placing).asking(gates)
        kept = after.bookable(protected.plan, exposed)
        self.unsure = self.unsure or bool(after.undecided)
        return without(exposed, kept).bit_count()
