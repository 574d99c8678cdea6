"""The day as columns: where each appointment, hold and block-off lies on a grid of five-minute rows.

The pages allow no inline styles, so a place is a pair of classes (`at-12 for-6`) out of the style sheet made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Literal
from uuid import UUID
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from availability import Span
from booking.local_days import in_zone
from booking.staff_schedule import ScheduleDay

ROW = 5
HOUR = 60 // ROW
DAY = 24 * HOUR
MOST_LANES = 6
USUAL_HOURS = (8, 18)
KINDS = ("provider", "technician", "room", "equipment")


class Card(Struct, frozen=True, kw_only=True):
    """Something in a column: `row` counts from 1; of cards at the same time, `lane` of `lanes` is its own."""

    kind: Literal["appointment", "hold", "block_off", "off"]
    id: UUID | None
    text: str
    row: int
    rows: int
    lane: int = 1
    lanes: int = 1


class Column(Struct, frozen=True, kw_only=True):
    """A resource's day; `lanes`: how many cards stand beside each other at most."""

    name: str
    kind: str
    cards: list[Card]
    lanes: int


class Sheet(Struct, frozen=True, kw_only=True):
    """All columns over the same hours; `now_row` where the day is today."""

    hours: list[int]
    rows: int
    columns: list[Column]
    now_row: int | None


def sheet_of(day: ScheduleDay, timezone: str, *, now: datetime) -> Sheet:
    """Lay a day out."""
    place = _Places(day, timezone)
    begin, end = place.window
    columns = []
    for resource in sorted(day.resources, key=lambda one: KINDS.index(one.kind)):
        id_ = resource.resource_id
        cards = beside(
            [
                place.card("appointment", one.starts_at, one.ends_at, id_=one.appointment_id)
                for one in day.appointments
                if id_ in one.resource_ids and one.status != "cancelled"
            ]
            + [
                place.card("hold", one.starts_at, one.ends_at, id_=one.hold_id)
                for one in day.holds
                if id_ in one.resource_ids
            ]
        )
        closed = [
            place.card("block_off", one.starts_at, one.ends_at, text=one.reason)
            for one in day.block_offs
            if one.resource_id == id_
        ]
        columns.append(
            Column(
                name=resource.name,
                kind=resource.kind,
                cards=[*place.off(day.open[id_]), *closed, *cards],
                lanes=max((card.lanes for card in cards), default=1),
            )
        )
    now_row = place.row(now) - begin + 1 if in_zone(now, timezone).date() == day.day else None
    return Sheet(
        hours=list(range(begin // HOUR, end // HOUR)),
        rows=end - begin,
        columns=columns,
        now_row=now_row if now_row is not None and 1 <= now_row <= end - begin else None,
    )


class _Places:
    """Where instants of the day lie, in rows since midnight by the wall clock."""

    def __init__(self, day: ScheduleDay, timezone: str) -> None:
        self._day = day.day
        self._timezone = timezone
        spans = [(one.starts_at, one.ends_at) for one in day.appointments]
        spans += [(one.starts_at, one.ends_at) for one in day.holds]
        spans += [(span.start, span.end) for spans_ in day.open.values() for span in spans_]
        rows = [(self.row(start), self.row(end, up=True)) for start, end in spans]
        # What is always open says nothing about the hours worth showing.
        rows = [(start, end) for start, end in rows if end - start < DAY]
        begin = min((start for start, _ in rows), default=USUAL_HOURS[0] * HOUR)
        end = max((end for _, end in rows), default=USUAL_HOURS[1] * HOUR)
        self.window = begin // HOUR * HOUR, -(-end // HOUR) * HOUR

    def row(self, instant: datetime, *, up: bool = False) -> int:
        """Return the row of an instant; those outside of the day are at its edges."""
        local = in_zone(instant, self._timezone)
        if local.date() != self._day:
            return 0 if local.date() < self._day else DAY
        minutes = local.hour * 60 + local.minute
        return -(-minutes // ROW) if up else minutes // ROW

    def card(
        self,
        kind: Literal["appointment", "hold", "block_off", "off"],
        start: datetime,
        end: datetime,
        *,
        id_: UUID | None = None,
        text: str = "",
    ) -> Card:
        """Return a card cut to the hours shown."""
        first, last = self.window
        begins = min(max(self.row(start), first), last - 1)
        ends = min(max(self.row(end, up=True), begins + 1), last)
        return Card(kind=kind, id=id_, text=text, row=begins - first + 1, rows=ends - begins)

    def off(self, open_spans: list[Span]) -> Iterable[Card]:
        """Return the time in which the resource does not work."""
        first, last = self.window
        at = first
        for begins, ends in sorted((self.row(span.start), self.row(span.end)) for span in open_spans):
            if begins > at:
                yield Card(kind="off", id=None, text="", row=at - first + 1, rows=begins - at)
            at = max(at, ends)
        if at < last:
            yield Card(kind="off", id=None, text="", row=at - first + 1, rows=last - at)


def beside(cards: list[Card]) -> list[Card]:
    """Give cards that overlap lanes beside each other; those that touch none keep the whole width."""
    placed: list[Card] = []
    cluster: list[tuple[Card, int]] = []
    ends: list[int] = []

    def close() -> None:
        lanes = min(len(ends), MOST_LANES)
        placed.extend(replace(card, lane=min(lane, MOST_LANES), lanes=lanes) for card, lane in cluster)
        cluster.clear()
        ends.clear()

    for card in sorted(cards, key=lambda card: (card.row, -card.rows)):
        if cluster and card.row >= max(ends):
            close()
        lane = next((n for n, end in enumerate(ends) if end <= card.row), len(ends))
        if lane == len(ends):
            ends.append(0)
        ends[lane] = card.row + card.rows
        cluster.append((card, lane + 1))
    close()
    return placed


@cache
def style_sheet() -> str:
    """Return the classes of every place: `at-N` the row, `for-N` the rows, `lane-N` and `lanes-N` beside others."""
    places = [f".at-{n}{{grid-row-start:{n}}}.for-{n}{{grid-row-end:span {n}}}" for n in range(1, DAY + 1)]
    heights = [f".rows-{n * HOUR}{{grid-template-rows:repeat({n * HOUR},var(--row))}}" for n in range(1, 25)]
    lanes = [
        f".lanes-{n}{{grid-template-columns:repeat({n},minmax(0,1fr))}}.lane-{n}{{grid-column:{n}}}"
        for n in range(1, MOST_LANES + 1)
    ]
    return "\n".join([*places, *heights, *lanes])


def style_sheet_address() -> str:
    """Return the style sheet's address, which changes with its content."""
    return f"/console/places.css?v={crc32(style_sheet().encode()):x}"
