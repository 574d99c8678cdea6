"""Spans of time: one as two instants, and all that is busy as one value of packed minutes.

Busy spans are by far the largest part of a schedule. As datetimes they would take most of the time of an answer and
most of its memory; so they become numbers where they come in, from JSON or from the database, and stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from struct import pack, unpack
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from availability.bits import side_by_side
from availability.errors import ProblemError
from availability.local_time import instant_of, minute_from, minute_of

Instant = Annotated[datetime, Meta(tz=True)]

SPAN_SIZE = 8

_ENCODER = msgspec.msgpack.Encoder()
_WRITTEN_SIZE = 23
_START, _END = 9, 19
"""A span as MessagePack: a map of `start` and `end`, each with the seconds since 1970 as a big-endian 32-bit timestamp
at its end. So many bytes has the whole, and there the two numbers begin."""


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Instants `[start, end)`."""

    start: Instant
    end: Instant


class Busy:
    """Existing appointments and holds of a resource, in the order given; each takes one unit of its capacity.

    `packed` holds for each the minutes since 1970 at which it starts and ends, four bytes each, the highest first: what
    PostgreSQL's `int4send` writes. Read as spans, they are widened to whole minutes; before 1970 is 1970.
    """

    __slots__ = ("packed",)

    def __init__(self, packed: bytes = b"") -> None:
        self.packed = packed

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Busy:
        """Pack spans. Raises ProblemError with a path such as `[3].end`."""
        spans = tuple(spans)
        packed = _packed_at_once(spans)
        return cls(_packed_one_by_one(spans) if packed is None else packed)

    def edges(self) -> tuple[int, ...]:
        """The first one's start and end in minutes since 1970, the second one's, and so on."""
        return unpack(f">{len(self.packed) // 4}I", self.packed)

    def __len__(self) -> int:
        return len(self.packed) // SPAN_SIZE

    def __getitem__(self, number: int) -> Span:
        start, end = unpack(">II", self.packed[number * SPAN_SIZE : (number + 1) * SPAN_SIZE])
        return Span(start=instant_of(start), end=instant_of(end))

    def __iter__(self) -> Iterator[Span]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Busy) and self.packed == other.packed

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return f"Busy.of({list(self)})"


def _packed_at_once(spans: Sequence[Span]) -> bytes | None:
    """What is written of all spans in one go, where all begin and end with a minute; None where some do not.

    Fractions of a second, and years before 1970 or after 2096, are written otherwise; so are naive times.
    """
    count = len(spans)
    written = _ENCODER.encode(spans)
    header = 1 if count < 16 else 3 if count < 65_536 else 5  # noqa: PLR2004  # the format's own steps
    if len(written) != header + _WRITTEN_SIZE * count:
        return None
    seconds = bytearray(SPAN_SIZE * count)
    for byte in range(4):
        seconds[byte::SPAN_SIZE] = written[header + _START + byte :: _WRITTEN_SIZE]
        seconds[byte + 4 :: SPAN_SIZE] = written[header + _END + byte :: _WRITTEN_SIZE]
    # One division for all: where nothing remains, and no quotient is so large that 60 of it would spill into the next
    # number, each is what its own division would give.
    minutes, rest = divmod(int.from_bytes(seconds, "big"), 60)
    if rest or minutes & side_by_side(b"\xfc\0\0\0" * 2, count):
        return None
    # Each end, with the bit above it set, less its start: the bit is borrowed where the end comes first.
    unborrowed = side_by_side(b"\0\0\0\1\0\0\0\0", count)
    ends = side_by_side(b"\0\0\0\0\xff\xff\xff\xff", count)
    if ((minutes & ends | unborrowed) - (minutes >> 32 & ends)) & unborrowed != unborrowed:
        return None
    return minutes.to_bytes(SPAN_SIZE * count, "big")


def _packed_one_by_one(spans: Sequence[Span]) -> bytes:
    """The same for any spans, each checked and widened to whole minutes; empty ones stay empty."""
    edges = []
    for number, each in enumerate(spans):
        if each.start.tzinfo is None or each.end.tzinfo is None:
            field = "start" if each.start.tzinfo is None else "end"
            raise ProblemError(f"[{number}].{field}", "needs an offset, as in `2026-03-08T09:00:00-05:00`")
        if each.end < each.start:
            raise ProblemError(f"[{number}].end", "is before the start")
        start = max(minute_of(each.start), 0)
        edges += [start, max(minute_from(each.end), 0) if each.start < each.end else start]
    return pack(f">{len(edges)}I", *edges)
