"""Busy spans as minutes: by far the largest part of a schedule, so the one place where speed comes before brevity."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from operator import gt, sub
from struct import unpack_from

import msgspec

from availability.bits import Minutes, Stretch, union
from availability.errors import ProblemError
from availability.local_time import minute_from, minute_of
from availability.problem import Span

_ENCODER = msgspec.msgpack.Encoder()
_SPAN = "9xI6xI"
_SPAN_SIZE = 23
"""A span as MessagePack: a map of `start` and `end`, each with the seconds since 1970 as a 32-bit timestamp."""


def taken_by(busy: tuple[Span, ...], origin: int, size: int, path: str) -> Minutes:
    """Minutes `[0, size)` since `origin` in which there is at least one busy span; checks them as `stretches` does.

    Handling thousands of datetimes one by one takes most of a cold answer. msgspec writes the seconds of all of them in
    one go; and where spans are sorted and apart, as a schedule mostly is, their lengths and the gaps between them write
    down the very number that is looked for: in base 32 a digit is five minutes, `0` all free and `v` all taken.
    """
    written = _ENCODER.encode(busy)
    header = _header(len(busy))
    if len(written) - header != _SPAN_SIZE * len(busy):
        # Fractions of a second, or years before 1970 or after 2106, are written otherwise; so are naive times.
        return union(stretches(busy, origin, path), size)
    seconds = unpack_from(">" + _SPAN * len(busy), written, header)
    starts, ends = seconds[::2], seconds[1::2]
    first, last = origin * 60, (origin + size) * 60
    gaps, lengths = _apart(starts, ends, first, last)
    if min(gaps) < 0 and not any(map(gt, starts, ends)):
        # A schedule longer than the question, it may be.
        inside = [(max(a, first), min(b, last)) for a, b in zip(starts, ends, strict=True) if a < last and first < b]
        gaps, lengths = _apart([a for a, _ in inside], [b for _, b in inside], first, last)
    if min(gaps) < 0 or min(lengths, default=1) <= 0:
        return union(stretches(busy, origin, path), size)
    different_gaps, different_lengths = set(gaps), set(lengths)
    unit = gcd(*different_gaps, *different_lengths)
    if unit % 60:
        return union(stretches(busy, origin, path), size)
    base, digit, worth = (32, b"v", 300) if unit % 300 == 0 else (2, b"1", 60)
    free = {gap: b"0" * (gap // worth) for gap in different_gaps}
    taken = {length: digit * (length // worth) for length in different_lengths}
    pieces = [b""] * (len(gaps) + len(lengths))
    pieces[::2] = map(free.__getitem__, gaps)
    pieces[1::2] = map(taken.__getitem__, lengths)
    # The first minute is the last digit.
    return int(b"".join(reversed(pieces)), base)


def stretches(busy: tuple[Span, ...], origin: int, path: str) -> list[Stretch]:
    """Each busy span in minutes since `origin`, widened to whole minutes."""
    found = []
    for number, each in enumerate(busy):
        if each.start.tzinfo is None or each.end.tzinfo is None:
            field = "start" if each.start.tzinfo is None else "end"
            raise ProblemError(f"{path}[{number}].{field}", "needs an offset, as in `2026-03-08T09:00:00-05:00`")
        if each.end < each.start:
            raise ProblemError(f"{path}[{number}].end", "is before the start")
        if each.start < each.end:
            found.append((minute_of(each.start) - origin, minute_from(each.end) - origin))
    return found


def _apart(starts: Sequence[int], ends: Sequence[int], first: int, last: int) -> tuple[list[int], list[int]]:
    """How much lies between the spans, from `first` to `last`, and how long they are; negative where they overlap."""
    return list(map(sub, (*starts, last), (first, *ends))), list(map(sub, ends, starts))


def _header(length: int) -> int:
    """Bytes before the first item of a MessagePack array."""
    return 1 if length < 16 else 3 if length < 65_536 else 5  # noqa: PLR2004  # the format's own steps
