"""Busy spans as minutes: by far the largest part of a schedule, so the one place where speed comes before brevity.

Handling thousands of datetimes one by one would take most of a cold answer. So msgspec writes the seconds of all of
them in one go, they are taken from one another as one large number, and the result is looked up span by span.
"""

from __future__ import annotations

from struct import unpack

import msgspec

from availability.bits import Minutes, Stretch, shifted, span, union
from availability.errors import ProblemError
from availability.local_time import minute_from, minute_of
from availability.problem import Span

_ENCODER = msgspec.msgpack.Encoder()
_SPAN_SIZE = 23
_AFTER_START = 10
"""A span as MessagePack: a map of `start` and `end`, each with the seconds since 1970 as a big-endian 32-bit timestamp
at its end. So many bytes has the whole, and so many come after the start's."""

LONGEST = 800 * 24 * 60 * 60
"""Seconds over which a schedule is read in one go; it bounds the digits that are written."""

KEPT = 4096
"""As many digits of one span, and as many spans, are kept."""


class _IrregularError(ValueError):
    """Spans overlap, are out of order or off the unit."""


class Digits(dict[int, bytes]):
    """A busy span and the gap before it, written in digits of one unit of time each: all taken, or all free.

    The key is the span's length in seconds and, 32 bits higher, the gap's. Schedules have few different ones.
    """

    def __init__(self, unit: int, base: int, taken: bytes) -> None:
        super().__init__()
        self.unit = unit
        self.base = base
        self._taken = taken

    def __missing__(self, key: int) -> bytes:
        gap, length = key >> 32, key & 0xFFFF_FFFF
        if gap % self.unit or length % self.unit or gap + length > LONGEST:
            raise _IrregularError
        digits = self._taken * (length // self.unit) + b"0" * (gap // self.unit)
        if len(digits) < KEPT and len(self) < KEPT:
            self[key] = digits
        return digits


class Busy:
    """Reads the busy spans of one schedule after the other as minutes `[0, size)` since `origin`."""

    def __init__(self, origin: int, size: int) -> None:
        self.origin = origin
        self.size = size
        # In base 32 a digit is five minutes, `0` all free and `v` all taken. Few schedules need single minutes.
        self._digits = (Digits(300, 32, b"v"), Digits(60, 2, b"1"))

    def taken_by(self, busy: tuple[Span, ...], path: str) -> Minutes:
        """Minutes in which there is at least one busy span; checks them as `stretches` does."""
        edges = _edges(busy)
        if edges is not None:
            for digits in self._digits:
                try:
                    return self._written(edges, len(busy), digits)
                except _IrregularError:
                    continue
        return union(stretches(busy, self.origin, path), self.size)

    def _written(self, edges: int, count: int, digits: Digits) -> Minutes:
        """The number that lengths and gaps write down; its first minute is its last digit."""
        first, last = edges >> 64 * count - 32, edges & 0xFFFF_FFFF
        if first % 60 or last - first > LONGEST:
            raise _IrregularError
        # Each edge less the one before it, all at once; a negative difference borrows from its neighbor.
        apart = edges - (edges >> 32) - (first << 64 * count - 32)
        if apart < 0:
            raise _IrregularError
        keys = unpack(f"<{count}Q", apart.to_bytes(8 * count, "little"))
        written = b"".join(map(digits.__getitem__, keys))
        if len(written) * digits.unit != last - first:
            # Only where nothing was borrowed do the differences add up.
            raise _IrregularError
        taken = shifted(int(written or b"0", digits.base), first // 60 - self.origin)
        return taken if last // 60 <= self.origin + self.size else taken & span(0, self.size)


def _edges(busy: tuple[Span, ...]) -> int | None:
    """All ends and starts in seconds since 1970, 32 bits each, the last end lowest; None where they are not whole.

    Fractions of a second, and years before 1970 or after 2106, are written otherwise; so are naive times.
    """
    count = len(busy)
    written = _ENCODER.encode(busy)
    header = 1 if count < 16 else 3 if count < 65_536 else 5  # noqa: PLR2004  # the format's own steps
    if not count or len(written) - header != _SPAN_SIZE * count:
        return None
    edges = bytearray(8 * count)
    for byte in range(4):
        edges[byte::8] = written[-1 - byte : header - 1 : -_SPAN_SIZE]
        edges[byte + 4 :: 8] = written[-1 - byte - _AFTER_START : header - 1 : -_SPAN_SIZE]
    return int.from_bytes(edges, "little")


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
