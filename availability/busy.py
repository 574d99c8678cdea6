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
    first, last = origin * 60, (origin + size) * 60
    apart = _apart(seconds, first, last)
    if min(apart) < 0 and not any(map(gt, seconds[::2], seconds[1::2])):
        # A schedule longer than the question, it may be.
        spans = zip(seconds[::2], seconds[1::2], strict=True)
        inside = [(max(start, first), min(end, last)) for start, end in spans if start < last and first < end]
        apart = _apart([edge for span in inside for edge in span], first, last)
    different = set(apart)
    unit = gcd(*different)
    if min(different) < 0 or unit % 60:
        return union(stretches(busy, origin, path), size)
    base, digit, worth = (32, b"v", 300) if unit % 300 == 0 else (2, b"1", 60)
    pieces = [b""] * len(apart)
    pieces[::2] = map({each: b"0" * (each // worth) for each in different}.__getitem__, apart[::2])
    pieces[1::2] = map({each: digit * (each // worth) for each in different}.__getitem__, apart[1::2])
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


def _apart(edges: Sequence[int], first: int, last: int) -> list[int]:
    """From `first` to `last`, in turn how long nothing is and how long something is; negative where spans overlap."""
    return list(map(sub, (*edges, last), (first, *edges)))


def _header(length: int) -> int:
    """Bytes before the first item of a MessagePack array."""
    return 1 if length < 16 else 3 if length < 65_536 else 5  # noqa: PLR2004  # the format's own steps
