"""Sets of minutes behave as sets of minutes, whatever trick makes them fast."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from availability import bits
from tests.availability.strategies import examples

SIZE = 200
stretches = st.lists(st.tuples(st.integers(-20, 220), st.integers(-20, 220)), max_size=12)
sets = st.sets(st.integers(0, SIZE - 1))


def as_bits(minutes: set[int]) -> int:
    return sum(1 << minute for minute in minutes)


@examples(200)
@given(stretches)
def test_a_union_holds_every_minute_of_every_stretch_and_no_other(found: list[tuple[int, int]]) -> None:
    covered = {minute for start, end in found for minute in range(max(start, 0), min(end, SIZE))}
    assert set(bits.members(bits.union(found, SIZE))) == covered


@examples(200)
@given(stretches, st.integers(1, 5))
def test_levels_count_how_often_a_minute_is_covered(found: list[tuple[int, int]], wanted: int) -> None:
    levels = bits.levels(found, SIZE, wanted)
    for minute in range(SIZE):
        times = sum(start <= minute < end for start, end in found)
        assert sum(level >> minute & 1 for level in levels) == min(times, wanted)


@examples(100)
@given(stretches, st.tuples(st.integers(0, 150), st.integers(0, 200)))
def test_one_more_stretch_on_top_is_the_same_as_one_more_from_the_beginning(
    found: list[tuple[int, int]], more: tuple[int, int]
) -> None:
    everything = [*found, more]
    stacked = bits.stacked(bits.levels(found, SIZE, 99), bits.span(*more) & bits.span(0, SIZE))
    assert stacked == bits.levels(everything, SIZE, 99)


@examples(100)
@given(stretches)
def test_the_depth_is_the_number_of_levels(found: list[tuple[int, int]]) -> None:
    inside = [(max(start, 0), min(end, SIZE)) for start, end in found]
    assert bits.depth(inside) == len(bits.levels(inside, SIZE, 99))


@examples(200)
@given(sets, st.integers(1, 40))
def test_a_run_begins_where_so_many_minutes_in_a_row_are_free(free: set[int], length: int) -> None:
    runs = bits.runs(as_bits(free), length)
    assert set(bits.members(runs)) == {m for m in free if all(m + n in free for n in range(length))}


@examples(100)
@given(sets, st.lists(st.integers(1, 70), max_size=5))
def test_runs_of_one_length_after_another_are_those_of_each(free: set[int], lengths: list[int]) -> None:
    runs = bits.Runs(as_bits(free))
    for length in lengths:
        assert runs.of(length) == bits.runs(as_bits(free), length)


@examples(100)
@given(sets)
def test_stretches_and_members_tell_the_same_minutes(minutes: set[int]) -> None:
    told = bits.stretches_of(as_bits(minutes))
    assert [m for start, end in told for m in range(start, end)] == sorted(minutes) == bits.members(as_bits(minutes))


def test_stretches_that_touch_are_merged() -> None:
    assert bits.merge([(5, 9), (1, 5), (20, 20), (3, 4)]) == [(1, 9)]


def test_a_span_that_ends_before_it_starts_has_no_minutes() -> None:
    assert bits.span(9, 5) == 0
    assert bits.members(bits.span(-3, 2)) == [0, 1]


def test_what_ends_when_another_begins_does_not_overlap_it() -> None:
    assert not bits.overlap([(0, 5)], [(5, 9)])
    assert bits.overlap([(0, 5), (7, 8)], [(6, 9)])
