"""The standing schedule laid out for the engine: the next two months of each practice, for as long as they stand.

Offers have it made, in their thread. Claims want a day or two, which is laid out anew sooner than two months, so they
use it where it is there. The engine itself sees whether it fits a problem: nothing that is kept here can make an answer
wrong.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from availability import Layout, ProblemError, SlotProblem, Span, laid_out
from booking.local_days import day_start, local_date
from booking.standing import Standing

DAY = timedelta(days=1)
AHEAD = timedelta(days=64)
"""What a client may ask for at once, and a little more."""

MOST_KEPT = 100
"""Layouts in a process; one is half a megabyte for seventeen resources."""

_kept: OrderedDict[UUID, _Kept] = OrderedDict()


class _Kept(Struct, frozen=True, kw_only=True):
    """`layout` is None where two months hold more recurring times than the engine lays out."""

    today: date
    layout: Layout | None


def kept(name: UUID) -> Layout | None:
    """Return what has been laid out of the standing schedule of this name, if something has."""
    found = _kept.get(name)
    if found is None:
        return None
    _kept.move_to_end(name)
    return found.layout


async def kept_or_made(name: UUID, stands: Standing, problem: SlotProblem, engine: ThreadPoolExecutor) -> Layout | None:
    """Return the same, made now where it is missing or of another day, and the problem asks for its days."""
    today = local_date(problem.now, problem.timezone)
    until = day_start(today + AHEAD, problem.timezone)
    found = _kept.get(name)
    # The practice's own hours are no part of what the name stands for.
    up_to_date = found is not None and found.today == today and (found.layout is None or found.layout.fits(problem))
    if not up_to_date and problem.window.end <= until:
        window = Span(start=day_start(today - DAY, problem.timezone), end=until)
        whole = msgspec.structs.replace(problem, window=window, resources=stands.columns, rules=stands.rules)
        layout = await asyncio.get_running_loop().run_in_executor(engine, _laid_out, whole)
        _kept[name] = _Kept(today=today, layout=layout)
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return kept(name)


def _laid_out(problem: SlotProblem) -> Layout | None:
    try:
        return laid_out(problem)
    except ProblemError:
        # Whatever is wrong with it, who asks without a layout is told, or has no part in it.
        return None
