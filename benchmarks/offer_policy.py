"""What the offer policy is worth: a seeded simulation of one day's bookings, with `all` and with `best`.

Three columns are open for eight hours. Clients with short visits (15, 20 or 30 minutes) come one after the other. When
the day is filled to 40, 55 or 65 %, we count how many 60-minute visits still fit, booked one after the other. Two kinds
of clients are simulated: flexible ones take any of the times they are offered, each as likely as the other; decided
ones have a time of day in mind and take the offered start nearest to it.

With `all`, a client sees every start, and the first column that is free serves. With `best`, 60-minute visits are
protected: clients see the better half by score, at least six times, and whoever destroys least serves.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Literal, NamedTuple

import msgspec

from availability import (
    Busy,
    Grid,
    Need,
    OfferPolicy,
    Protected,
    Recurring,
    Resource,
    Slot,
    SlotProblem,
    Span,
    Step,
    Visit,
    occupied,
    solve,
)

Policy = Literal["all", "best"]
Client = Literal["flexible", "decided"]

OPENS = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOURS = timedelta(hours=8)
COLUMNS = ("dr-lee", "dr-kim", "dr-roy")
LOADS = (0.40, 0.55, 0.65)
AT_LEAST = 6
PATIENCE = 50
"""A day that has turned away so many clients in a row will not fill any further."""

DAYS = int(os.environ.get("VETSLOT_SIMULATED_DAYS", "30"))


def visit(kind: str, length: int) -> Visit:
    need = Need(role="veterinarian", any_of=COLUMNS)
    step = Step(duration=timedelta(minutes=length), needs=(need,))
    return Visit(appointment_type=kind, steps=(step,), grid=Grid(every=timedelta(minutes=15)))


SHORT = {length: visit(f"short of {length}", length) for length in (15, 20, 30)}
LONG = visit("long", 60)

EMPTY = SlotProblem(
    timezone="UTC",
    now=OPENS - timedelta(days=1),
    window=Span(start=OPENS, end=OPENS + HOURS),
    resources=tuple(
        Resource(id=name, hours=(Recurring(starts=OPENS.replace(tzinfo=None), duration=HOURS),)) for name in COLUMNS
    ),
    visits=(LONG,),
)


class Booked(NamedTuple):
    """One simulated day at one load."""

    long_visits: int
    fewest_offered: int
    """The fewest starts that a client could choose from, but for those who were offered all there was."""


def chosen(client: Client, offered: Sequence[Slot], chance: random.Random) -> Slot:
    """The slot that a client takes."""
    if client == "flexible":
        return chance.choice(offered)
    wish = OPENS + HOURS * chance.random()
    return min(offered, key=lambda each: (abs(each.start - wish), each.start))


def booked(problem: SlotProblem, slot: Slot) -> SlotProblem:
    """The problem once the slot is taken."""
    taken = {each.resource: Span(start=each.start, end=each.end) for each in occupied(problem, slot)}
    resources = tuple(
        msgspec.structs.replace(r, busy=Busy.of([*r.busy, taken[r.id]])) if r.id in taken else r
        for r in problem.resources
    )
    return msgspec.structs.replace(problem, resources=resources)


def load(problem: SlotProblem) -> float:
    """Share of the open time that is booked."""
    minutes = sum((span.end - span.start for r in problem.resources for span in r.busy), timedelta())
    return minutes / (HOURS * len(COLUMNS))


def with_all(problem: SlotProblem) -> SlotProblem:
    """The same question, everything offered."""
    return msgspec.structs.replace(problem, offer=OfferPolicy(), protect=())


def long_visits_left(problem: SlotProblem) -> int:
    """How many 60-minute visits fit, the earliest first, until none does."""
    problem = msgspec.structs.replace(with_all(problem), visits=(LONG,))
    count = 0
    while slots := solve(problem).slots:
        problem = booked(problem, slots[0])
        count += 1
    return count


def simulate(policy: Policy, client: Client, seed: int) -> Iterator[tuple[float, Booked]]:
    """One day, told at each load as it fills."""
    chance = random.Random(seed)
    problem = EMPTY
    fewest = sys.maxsize
    for level in LOADS:
        turned_away = 0
        while load(problem) < level and turned_away < PATIENCE:
            asked = SHORT[chance.choice((15, 20, 30))]
            protect = (Protected(visit=LONG),) if policy == "best" else ()
            offer = OfferPolicy(policy=policy, at_least=AT_LEAST)
            problem = msgspec.structs.replace(problem, visits=(asked,), protect=protect, offer=offer)
            slots = solve(problem).slots
            if not slots:
                turned_away += 1
                continue
            if len(slots) >= AT_LEAST or len(slots) < len(solve(with_all(problem)).slots):
                fewest = min(fewest, len(slots))
            turned_away = 0
            problem = booked(problem, chosen(client, slots, chance))
        yield level, Booked(long_visits_left(problem), fewest)


def main() -> None:
    """Print the table."""
    print(f"{DAYS} simulated days, seeds 0 to {DAYS - 1}")
    print()
    print("| clients | load | 60-minute visits that still fit: `all` | `best` | ratio | fewest times offered: `best` |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    clients: tuple[Client, ...] = ("flexible", "decided")
    policies: tuple[Policy, ...] = ("all", "best")
    for client in clients:
        days: dict[tuple[Policy, float], list[Booked]] = {}
        for policy in policies:
            for seed in range(DAYS):
                for level, day in simulate(policy, client, seed):
                    days.setdefault((policy, level), []).append(day)
        for level in LOADS:
            means = {policy: mean(day.long_visits for day in days[policy, level]) for policy in policies}
            fewest = min(day.fewest_offered for day in days["best", level])
            ratio = f"{means['best'] / means['all']:.1f}" if means["all"] else "-"
            print(
                f"| {client} | {level:.0%} | {means['all']:.2f} | {means['best']:.2f} | {ratio} | {fewest} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
