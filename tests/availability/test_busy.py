"""Busy time is the same minutes whichever way it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from availability import ProblemError, Span
from availability.bits import union
from availability.busy import Busy, stretches
from availability.local_time import minute_of
from tests.availability.monday import wall
from tests.availability.strategies import examples

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ORIGIN = minute_of(BEGIN)
SIZE = 3000

seconds = st.integers(-90_000, 270_000)


@st.composite
def busy_spans(draw: st.DrawFn) -> Span:
    step = draw(st.sampled_from([60, 60, 1]))
    start = BEGIN + timedelta(seconds=draw(seconds) // step * step)
    end = start + timedelta(seconds=draw(st.integers(0, 9000)) // step * step)
    if draw(st.integers(0, 20)) == 0:
        end += timedelta(microseconds=1)
    zone = draw(st.sampled_from([UTC, timezone(timedelta(hours=-5))]))
    return Span(start=start.astimezone(zone), end=end.astimezone(zone))


@examples(300)
@given(st.lists(busy_spans(), max_size=20), st.booleans())
def test_reading_in_one_go_is_reading_span_by_span(found: list[Span], in_order: bool) -> None:  # noqa: FBT001
    busy = tuple(sorted(found, key=lambda each: each.start) if in_order else found)
    assert Busy(ORIGIN, SIZE).taken_by(busy, "busy") == union(stretches(busy, ORIGIN, "busy"), SIZE)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 700])
def test_any_number_of_appointments_back_to_back_is_one_stretch(count: int) -> None:
    step = timedelta(minutes=3)
    busy = tuple(Span(start=BEGIN + step * n, end=BEGIN + step * (n + 1)) for n in range(count))
    assert Busy(ORIGIN, SIZE).taken_by(busy, "busy") == (1 << 3 * count) - 1


def test_a_fault_in_the_middle_is_named() -> None:
    good = Span(start=BEGIN, end=BEGIN + timedelta(hours=1))
    bad = Span(start=BEGIN + timedelta(hours=3), end=BEGIN + timedelta(hours=2))
    with pytest.raises(ProblemError) as caught:
        Busy(ORIGIN, SIZE).taken_by((good, bad), "resources[0].busy")
    assert caught.value.path == "resources[0].busy[1].end"


def test_a_naive_instant_is_named() -> None:
    naive = Span(start=BEGIN, end=wall("2026-03-02T00:00"))
    with pytest.raises(ProblemError) as caught:
        Busy(ORIGIN, SIZE).taken_by((naive,), "resources[0].busy")
    assert caught.value.path == "resources[0].busy[0].end"
