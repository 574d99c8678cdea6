"""Busy spans as minutes: by far the largest part of a schedule, so the one place where speed comes before brevity."""

from __future__ import annotations

from struct import Struct

import msgspec

from availability.bits import Minutes, Stretch, levels
from availability.errors import ProblemError
from availability.local_time import minute_from, minute_of
from availability.problem import Span

_ENCODER = msgspec.msgpack.Encoder()
_SPAN = Struct(">9xI6xI")
"""A span as MessagePack: a map of `start` and `end`, each with the seconds since 1970 as a 32-bit timestamp."""


def taken_by(busy: tuple[Span, ...], origin: int, size: int, path: str) -> Minutes:
    """Minutes in which there is at least one busy span; checks them as `stretches` does.

    Subtracting datetimes one by one takes most of a cold answer. msgspec writes the seconds of all spans in one go, and
    where they are sorted and apart, as a schedule mostly is, each is two bits (see `bits.union`).
    """
    written = _ENCODER.encode(busy)
    if (len(written) - _header(len(busy))) != _SPAN.size * len(busy):
        # Fractions of a second, or years before 1970 or after 2106, are written otherwise.
        return _carefully(busy, origin, size, path)
    starts, ends = bytearray(size // 8 + 1), bytearray(size // 8 + 1)
    reached = 0
    try:
        for first, last in _SPAN.iter_unpack(memoryview(written)[_header(len(busy)) :]):
            start, end = first // 60 - origin, -(-last // 60) - origin
            if start < reached or last <= first:
                if end < 0 and first < last:
                    continue
                return _carefully(busy, origin, size, path)
            starts[start >> 3] |= 1 << (start & 7)
            ends[end >> 3] |= 1 << (end & 7)
            reached = end
    except IndexError:
        # It ends after the last date.
        return _carefully(busy, origin, size, path)
    return int.from_bytes(ends, "little") - int.from_bytes(starts, "little")


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


def _carefully(busy: tuple[Span, ...], origin: int, size: int, path: str) -> Minutes:
    once = levels(stretches(busy, origin, path), size, 1)
    return once[0] if once else 0


def _header(length: int) -> int:
    """Bytes before the first item of a MessagePack array."""
    return 1 if length < 16 else 3 if length < 65_536 else 5  # noqa: PLR2004  # the format's own steps
