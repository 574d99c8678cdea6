"""Packed busy time as masks: by far the largest part of a schedule, so here speed comes before brevity.

All starts and ends of a resource are one large number. It is taken from itself, moved by one place, which gives every
length and every gap at once; these are then looked up as digits of the mask.
"""

from __future__ import annotations

from struct import unpack

from availability.bits import Minutes, Stretch, shifted, span, union
from availability.local_time import DAY_MINUTES
from availability.spans import SPAN_SIZE, Busy

LONGEST = 800 * DAY_MINUTES
"""Minutes over which a schedule is read in one go; it bounds the digits that are written."""

KEPT = 4096
"""As many digits of one span, and as many spans, are kept."""


class _IrregularError(ValueError):
    """Spans overlap, are out of order or off the unit."""


class _Digits(dict[int, bytes]):
    """A busy span and the gap before it, written in digits of one unit of time each: all taken, or all free.

    The key is the span's length in minutes and, 32 bits higher, the gap's. Schedules have few different ones.
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


class BusyReader:
    """Reads the busy time of one resource after the other as minutes `[0, size)` since `origin`."""

    def __init__(self, origin: int, size: int) -> None:
        self.origin = origin
        self.size = size
        # In base 32 a digit is five minutes, `0` all free and `v` all taken. Few schedules need single minutes.
        self._digits = (_Digits(5, 32, b"v"), _Digits(1, 2, b"1"))

    def taken_by(self, busy: Busy) -> Minutes:
        """Minutes in which there is at least one busy span."""
        if not busy:
            return 0
        for digits in self._digits:
            try:
                return self._written(busy.packed, digits)
            except _IrregularError:
                continue
        return union(self.stretches(busy), self.size)

    def stretches(self, busy: Busy) -> list[Stretch]:
        """Each busy span in minutes since `origin`."""
        edges = iter(busy.edges())
        return [(start - self.origin, end - self.origin) for start, end in zip(edges, edges, strict=True)]

    def _written(self, packed: bytes, digits: _Digits) -> Minutes:
        """The number that lengths and gaps write down; its first minute is its last digit."""
        edges = int.from_bytes(packed, "big")
        first, last = int.from_bytes(packed[:4], "big"), edges & 0xFFFF_FFFF
        if last - first > LONGEST:
            raise _IrregularError
        # Each edge less the one before it, all at once; a negative difference borrows from its neighbor.
        apart = edges - (edges >> 32) - (first << 8 * len(packed) - 32)
        if apart < 0:
            raise _IrregularError
        keys = unpack(f"<{len(packed) // SPAN_SIZE}Q", apart.to_bytes(len(packed), "little"))
        written = b"".join(map(digits.__getitem__, keys))
        if len(written) * digits.unit != last - first:
            # Only where nothing was borrowed do the differences add up.
            raise _IrregularError
        taken = shifted(int(written or b"0", digits.base), first - self.origin)
        return taken if last <= self.origin + self.size else taken & span(0, self.size)
