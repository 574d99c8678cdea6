"""Busy time is the same minutes whichever way it is packed and read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from availability import Busy, ProblemError, Span, decode, encode, solve
from availability.bits import union
from availability.busy import BusyReader
from availability.local_time import minute_of
from tests.availability.monday import ALL_MORNING, local, question, resource, span, starts, wall
from tests.availability.strategies import examples

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ORIGIN = minute_of(BEGIN)
SIZE = 3000
MINUTE = timedelta(minutes=1)

seconds = st.integers(-90_000, 270_000)


@st.composite
def busy_spans(draw: st.DrawFn, unit: int = 1) -> Span:
    step = draw(st.sampled_from([60, 60, 300, unit]))
    start = BEGIN + timedelta(seconds=draw(seconds) // step * step)
    end = start + timedelta(seconds=draw(st.integers(0, 9000)) // step * step)
    if draw(st.integers(0, 20)) == 0 and unit == 1:
        end += timedelta(microseconds=1)
    zone = draw(st.sampled_from([UTC, timezone(timedelta(hours=-5))]))
    return Span(start=start.astimezone(zone), end=end.astimezone(zone))


@st.composite
def schedules(draw: st.DrawFn) -> list[Span]:
    """In order or not, with overlaps or without, of whole minutes or odd seconds."""
    found = draw(st.lists(busy_spans(draw(st.sampled_from([1, 60]))), max_size=20))
    if draw(st.booleans()):
        found.sort(key=lambda each: each.start)
    if draw(st.booleans()):
        found = [each for each, later in pairwise(found) if each.end <= later.start]
    return found


def widened(each: Span) -> tuple[int, int]:
    """Minutes since 1970, by nothing but datetimes."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    begin, end = (each.start - epoch) // MINUTE, -((epoch - each.end) // MINUTE)
    return (begin, end) if each.start < each.end else (begin, begin)


@examples(300)
@given(schedules())
def test_packing_in_one_go_is_widening_span_by_span(found: list[Span]) -> None:
    assert Busy.of(found).edges() == tuple(chain.from_iterable(map(widened, found)))


@examples(300)
@given(schedules())
def test_reading_in_one_go_is_reading_span_by_span(found: list[Span]) -> None:
    minutes = [(begin - ORIGIN, end - ORIGIN) for begin, end in map(widened, found)]
    assert BusyReader(ORIGIN, SIZE).taken_by(Busy.of(found)) == union(minutes, SIZE)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 700, 70_000])
def test_any_number_of_appointments_back_to_back_is_one_stretch(count: int) -> None:
    busy = Busy.of(Span(start=BEGIN + 3 * MINUTE * n, end=BEGIN + 3 * MINUTE * (n + 1)) for n in range(count))
    assert len(busy) == count
    assert BusyReader(ORIGIN, 300_000).taken_by(busy) == (1 << 3 * count) - 1


def test_busy_time_is_a_value_of_the_spans_that_it_was_made_of() -> None:
    spans = [span("10:00", "10:30"), span("09:00", "09:45"), span("09:00", "09:45")]
    busy = Busy.of(spans)
    assert list(busy) == spans
    assert busy[1] == spans[1]
    assert busy == Busy.of(iter(spans)) == Busy(busy.packed)
    assert hash(busy) == hash(Busy(busy.packed))
    assert busy != Busy.of(spans[:2])
    assert not Busy()


def test_it_is_widened_to_whole_minutes() -> None:
    second = timedelta(seconds=1)
    within = Span(start=local("09:00") + second, end=local("09:00") + 2 * second)
    empty = Span(start=local("10:00") + second, end=local("10:00") + second)
    assert list(Busy.of([within, empty])) == [span("09:00", "09:01"), span("10:00", "10:00")]


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("1969-12-31T23:50:00Z", "1970-01-01T00:10:00Z", ("1970-01-01T00:00:00Z", "1970-01-01T00:10:00Z")),
        ("0001-01-01T00:00:00Z", "1950-01-01T00:00:00Z", ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z")),
        ("2150-06-01T09:00:00Z", "2150-06-01T09:30:00Z", ("2150-06-01T09:00:00Z", "2150-06-01T09:30:00Z")),
        ("2026-03-02T15:00:00Z", "9999-12-31T00:00:00Z", ("2026-03-02T15:00:00Z", "9999-12-31T00:00:00Z")),
    ],
    ids=["across 1970", "before 1970", "the next century", "for ever"],
)
def test_it_holds_spans_of_any_year(start: str, end: str, told: tuple[str, str]) -> None:
    given_, kept = (
        Span(start=datetime.fromisoformat(a), end=datetime.fromisoformat(b)) for a, b in ((start, end), told)
    )
    assert list(Busy.of([given_])) == [kept]


def test_spans_far_apart_take_their_own_minutes_only() -> None:
    ages = Span(start=local("1971-01-01T00:00"), end=local("1971-01-02T00:00"))
    later = Span(start=local("2190-01-01T00:00"), end=local("2190-01-02T00:00"))
    assert starts(question(resource(busy=(ages, span("09:00", "11:00"), later)))) == ["11:00", "11:30"]
    assert starts(question(resource(busy=(later, span("09:00", "11:00"), ages)))) == ["11:00", "11:30"]
    for_ever = Span(start=ages.start, end=later.end)
    assert starts(question(resource(busy=(for_ever,)))) == []


def test_packed_minutes_need_not_have_been_spans() -> None:
    nine, ten = (minute_of(local(at)).to_bytes(4, "big") for at in ("09:00", "10:00"))
    assert Busy(nine + ten) == Busy.of([span("09:00", "10:00")])
    assert starts(question(resource(busy=Busy(nine + ten)))) == ALL_MORNING[2:]


def test_it_is_spans_again_in_json() -> None:
    problem = question(resource(busy=(span("09:00", "09:45"), span("09:30", "10:00"))), resource("nurse"))
    assert decode(encode(problem)) == problem
    assert solve(decode(encode(problem))) == solve(problem)
    assert b'"busy":[{"start":"2026-03-02T14:00:00Z","end":"2026-03-02T14:45:00Z"},' in encode(problem)


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("seconds", [0, 20])
def test_a_fault_is_named_wherever_it_is(at: int, seconds: int) -> None:
    spans = [span("09:00", "10:00"), span("11:00", "12:00")]
    odd = timedelta(seconds=seconds)
    spans.insert(at, Span(start=local("09:00") + odd, end=local("09:00") - MINUTE))
    with pytest.raises(ProblemError) as caught:
        Busy.of(spans)
    assert caught.value.path == f"[{at}].end"


def test_an_end_before_its_start_within_a_minute_is_no_minute_but_a_fault() -> None:
    with pytest.raises(ProblemError) as caught:
        Busy.of([Span(start=local("09:00") + timedelta(seconds=40), end=local("09:00") + timedelta(seconds=20))])
    assert caught.value.path == "[0].end"


@pytest.mark.parametrize("field", ["start", "end"])
def test_a_naive_instant_is_named(field: str) -> None:
    naive = Span(**{"start": BEGIN, "end": BEGIN + MINUTE, field: wall("2026-03-02T00:00")})
    with pytest.raises(ProblemError) as caught:
        Busy.of([naive])
    assert caught.value.path == f"[0].{field}"
