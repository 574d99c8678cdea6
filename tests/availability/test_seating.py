"""Each start is told the resources of its own cover, whether starts lie close together or far apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from availability.plan import Plan, Seat
from availability.seating import Cover, Seating
from tests.availability.strategies import examples

SEAT = Seat("veterinarian", 1, (), (), (), (), (0,), (0,))


@examples(200)
@given(st.integers(1, 16), st.dictionaries(st.integers(0, 300), st.integers(0, 20), min_size=1), st.integers(0, 300))
def test_every_start_has_the_resources_of_its_cover(every: int, cover_of: dict[int, int], unwanted: int) -> None:
    covers = [
        Cover(sum(1 << start * every for start, mine in cover_of.items() if mine == number), ((f"vet-{number}",),))
        for number in range(21)
    ]
    wanted = {start: number for start, number in cover_of.items() if start != unwanted}
    seating = Seating(Plan((SEAT,), 0, 0, 0), sum(1 << start * every for start in wanted), 0)
    seating.covers = [((0,), covers)]
    expected = [(start * every, ((f"vet-{number}",),)) for start, number in sorted(wanted.items())]
    assert list(seating.served().each()) == expected
