"""Packed busy time as masks: by far the largest part of a schedule, so here speed comes before brevity.

All starts and ends of a resource are one large number. It is taken from itself, moved by one place, which gives every
length and every gap at once; these are then looked up as digits of the mask.
"""

from __future__ import annotations

from operator import itemgetter
from struct import unpack

from availability.bits import Minutes, Stretch, shifted, side_by_side, span, union
from availability.spans import SPAN_SIZE, Busy

LONGEST = 1 << 20
"""Minutes, two years, over which a schedule is read in one go; it bounds the digits that are written."""

_TOO_LONG = b"\xff\xf0\0\0" * 2
"""The bits that no gap or length within that has; what remains of a negative one has them."""

KEPT = 4096
"""As many spans are kept with their digits."""


class _IrregularError(ValueError):
    """Spans overlap, are out of order or off the unit."""


class _Digits:
    """Busy spans, each with the gap before it, written in digits of one unit of time: all taken, or all free."""

    def __init__(self, unit: int, base: int, taken: bytes) -> None:
        self.unit = unit
        self.base = base
        self._taken = taken
        self._known: dict[int, bytes] = {}
        """By the span's length in minutes and, 32 bits higher, the gap's: schedules have few different ones."""

    def written(self, spans: tuple[int, ...]) -> bytes:
        """One after the other."""
        try:
            return self._looked_up(spans)
        except KeyError:
            new = set(spans).difference(self._known)
        if len(self._known) + len(new) > KEPT:
            self._known.clear()
            new = set(spans)
        self._known |= {each: self._written(each) for each in new}
        return self._looked_up(spans)

    def _looked_up(self, spans: tuple[int, ...]) -> bytes:
        # For several, there is no faster way to look them up.
        return b"".join(itemgetter(*spans)(self._known)) if len(spans) > 1 else self._known[spans[0]]

    def _written(self, each: int) -> bytes:
        gap, length = each >> 32, each & 0xFFFF_FFFF
        if gap % self.unit or length % self.unit:
            raise _IrregularError
        return self._taken * (length // self.unit) + b"0" * (gap // self.unit)


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
                return self._in_order(busy.packed, digits)
            except _IrregularError:
                continue
        return union(self.stretches(busy), self.size)

    def stretches(self, busy: Busy) -> list[Stretch]:
        """Each busy span in minutes since `origin`."""
        edges = iter(busy.edges())
        return [(start - self.origin, end - self.origin) for start, end in zip(edges, edges, strict=True)]

    def _in_order(self, packed: bytes, digits: _Digits) -> Minutes:
        """The number that lengths and gaps write down; its first minute is its last digit."""
        edges = int.from_bytes(packed, "big")
        first, last = int.from_bytes(packed[:4], "big"), edges & 0xFFFF_FFFF
        # Each edge less the one before it, all at once; a negative difference borrows from its neighbor.
        apart = edges - (edges >> 32) - (first << 8 * len(packed) - 32)
        if apart < 0 or last - first > LONGEST or apart & side_by_side(_TOO_LONG, len(packed) // SPAN_SIZE):
            raise _IrregularError
        written = digits.written(unpack(f"<{len(packed) // SPAN_SIZE}Q", apart.to_bytes(len(packed), "little")))
        if len(written) * digits.unit != last - first:
            # Only where nothing was borrowed do the differences add up.
            raise _IrregularError
        taken = shifted(int(written or b"0", digits.base), first - self.origin)
        return taken if last <= self.origin + self.size else taken & span(0, self.size)
