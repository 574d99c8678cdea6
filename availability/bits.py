"""Sets of minutes as Python integers: bit `i` stands for minute `i` after some origin.

Small pure functions that know nothing of zones, resources or visits. One AND or one shift treats a whole month at once,
which is what makes the engine fast: an integer of 45,000 bits takes 5.6 kB.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import compress
from struct import unpack

Minutes = int
"""A set of minutes."""

SHORTEST_KEPT = 3
"""Of the powers of two: visits of less than eight minutes are rare."""

_FIRSTS = tuple(range(0, 64 * 2048, 64))
"""The first minutes of the words of three months."""

Stretch = tuple[int, int]
"""Minutes from the first up to, not including, the second."""


def span(start: int, end: int) -> Minutes:
    """Minutes `[start, end)`; none where the end is not after the start; negative minutes are cut off."""
    start = max(start, 0)
    return (1 << end) - (1 << start) if end > start else 0


def merge(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same minutes as sorted stretches that neither overlap nor touch; empty ones vanish."""
    merged: list[Stretch] = []
    begin = reached = 0
    for start, end in sorted(stretches):
        if end <= start:
            continue
        if not merged or start > reached:
            merged.append((start, end))
            begin, reached = start, end
        elif end > reached:
            merged[-1] = (begin, end)
            reached = end
    return merged


def overlap(some: Iterable[Stretch], others: Iterable[Stretch]) -> bool:
    """Whether any stretch of one shares a minute with any of the other."""
    return any(begin < other_end and other_begin < end for begin, end in some for other_begin, other_end in others)


def union(stretches: Iterable[Stretch], size: int) -> Minutes:
    """All minutes of the stretches, cut to `[0, size)`.

    A stretch is the number 2^end - 2^start, so stretches that do not touch are one subtraction of two sums. Setting
    single bits in two byte arrays is several times faster than shifting and OR-ing one large integer per stretch.
    """
    starts, ends = bytearray(size // 8 + 1), bytearray(size // 8 + 1)
    for start, end in merge(stretches):
        if start < size and end > 0:
            begin, stop = max(start, 0), min(end, size)
            starts[begin >> 3] |= 1 << (begin & 7)
            ends[stop >> 3] |= 1 << (stop & 7)
    return int.from_bytes(ends, "little") - int.from_bytes(starts, "little")


def depth(stretches: list[Stretch]) -> int:
    """How many stretches there are at most at one minute."""
    deepest = now = 0
    for _, change in _changes(stretches):
        now += change
        deepest = max(deepest, now)
    return deepest


def levels(stretches: list[Stretch], size: int, wanted: int) -> tuple[Minutes, ...]:
    """Minutes covered at least once, at least twice, … by the stretches: as many levels as occur, at most `wanted`."""
    if wanted == 1:
        once = union(stretches, size)
        return (once,) if once else ()
    covered: list[list[Stretch]] = []
    since: list[int] = []
    for minute, change in _changes(stretches):
        if change > 0:
            since.append(minute)
        else:
            # Whatever began last ends first: level n is covered while n or more stretches last.
            begin = since.pop()
            while len(covered) <= len(since):
                covered.append([])
            covered[len(since)].append((begin, minute))
    return tuple(level for level in (union(each, size) for each in covered[:wanted]) if level)


def _changes(stretches: list[Stretch]) -> list[tuple[int, int]]:
    """Begins (1) and ends (-1) in order; what ends at a minute ends before what begins there."""
    ends = ((end, -1) for begin, end in stretches if begin < end)
    return sorted([*((begin, 1) for begin, end in stretches if begin < end), *ends])


def stacked(level_masks: tuple[Minutes, ...], more: Minutes) -> tuple[Minutes, ...]:
    """The levels after `more` has been laid on top once."""
    raised = []
    below = more
    for level in level_masks:
        raised.append(level | below)
        below &= level
    return (*raised, below) if below else tuple(raised)


def without(minutes: Minutes, taken: Minutes) -> Minutes:
    """The minutes that are not among those taken: as `minutes & ~taken`, which takes Python ten times as long."""
    return minutes ^ (minutes & taken)


def shifted(minutes: Minutes, later: int) -> Minutes:
    """Every minute moved `later`; earlier where that is negative, and cut off below the origin."""
    if not later:
        return minutes
    return minutes << later if later > 0 else minutes >> -later


def runs(free: Minutes, length: int) -> Minutes:
    """Minutes at which a run of `length` free minutes begins: shift-and-AND, doubling the run that is known."""
    known = 1
    while free and known < length:
        step = min(known, length - known)
        free &= free >> step
        known += step
    return free


class Runs:
    """The runs of one set of free minutes, length by length; those of 8, 16, 32, … minutes are kept."""

    def __init__(self, free: Minutes) -> None:
        self._kept = {0: free}
        """By the power of two that is their length."""

    def of(self, length: int) -> Minutes:
        """As `runs`."""
        power = known = length.bit_length() - 1
        while known not in self._kept:
            known -= 1
        free = self._kept[known]
        while known < power:
            free &= free >> (1 << known)
            known += 1
            if known >= SHORTEST_KEPT:
                self._kept[known] = free
        rest = length - (1 << power)
        return free & free >> rest if rest else free


def side_by_side(pattern: bytes, count: int) -> int:
    """A number in which a pattern follows itself, highest byte first, so many times or more."""
    return _repeated(pattern, count.bit_length())


@lru_cache(maxsize=64)
def _repeated(pattern: bytes, doublings: int) -> int:
    return int.from_bytes(pattern * (1 << doublings), "big")


def members(minutes: Minutes) -> list[int]:
    """The minutes in the set, ascending."""
    words = -(-minutes.bit_length() // 64)
    each_word = unpack(f"<{words}Q", minutes.to_bytes(words * 8, "little"))
    # Most words are empty, and passed over faster here than in a loop.
    firsts = _FIRSTS if words < len(_FIRSTS) else range(0, words * 64, 64)
    filled = compress(firsts, each_word)
    return [first + minute for first in filled for minute in _members_of_word(each_word[first >> 6])]


@lru_cache(maxsize=4096)
def _members_of_word(word: int) -> tuple[int, ...]:
    """The same for 64 minutes; grids make few different ones."""
    found = []
    while word:
        highest = word.bit_length() - 1
        found.append(highest)
        word ^= 1 << highest
    return tuple(reversed(found))


def stretches_of(minutes: Minutes) -> list[Stretch]:
    """The set as sorted stretches, apart from one another."""
    edges = iter(members(minutes ^ (minutes << 1)))
    return list(zip(edges, edges, strict=True))
