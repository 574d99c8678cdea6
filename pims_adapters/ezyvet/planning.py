"""EzyVet's planning guides, as its availability shows them: when each column takes which types, as planning rules.

The availability of a column on a day is a list of slots, free or not, each with the types that its guides allow there.
Where it names no type the column is closed; where it names some, those alone may be booked. A column for which it names
no type on any day has no guides: its working hours are kept with us.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from pims_adapters.contract import PimsUnavailable, PlanningRule, RecurringTime
from pims_adapters.ezyvet import wire, words
from pims_adapters.ezyvet.line import Call, Refused
from pims_adapters.ezyvet.settings import Settings
from pims_adapters.ezyvet.site import Site

COLUMNS_AT_ONCE = 5
DAYS_AT_ONCE = 7
SLOT_MINUTES = 10
CELL = 5
CELLS = 24 * 60 // CELL
PATH = "/v4/calendar/availability"
FORMER_PATH = "/ezycab/availability"
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

Cells = list[frozenset[str]]
"""The types allowed in each five minutes of a day."""


class Ref(Struct, frozen=True):
    id: str


class Related(Struct, frozen=True):
    data: list[Ref] = []


class SlotRelations(Struct, frozen=True):
    types: Related = msgspec.field(name="appointmentType", default=Related())


class Slot(Struct, frozen=True):
    """A stretch of a column's day. `start` is a time of the row's day with its offset, or a whole instant."""

    start: str
    duration: int
    relationships: SlotRelations = SlotRelations()


class RowAttributes(Struct, frozen=True):
    date: date
    slots: list[Slot] = []


class OneRef(Struct, frozen=True):
    id: str = ""
    data: Ref | None = None


class RowRelations(Struct, frozen=True):
    resource: OneRef


class AvailabilityRow(Struct, frozen=True):
    """One column's day."""

    attributes: RowAttributes
    relationships: RowRelations

    @property
    def column(self) -> str:
        return (
            self.relationships.resource.data.id if self.relationships.resource.data else self.relationships.resource.id
        )


class Availability(Struct, frozen=True):
    data: list[AvailabilityRow] = []


async def planning_rules(call: Call, site: Site, settings: Settings, group: int) -> tuple[list[PlanningRule], bool]:
    """Read the guides of one group of columns from today on, as far as the settings say; whether there are more."""
    columns = sorted((one for one in (await site.columns(call)).here if one.uid), key=lambda one: one.id)
    some = {one.uid: one for one in columns[group * COLUMNS_AT_ONCE : (group + 1) * COLUMNS_AT_ONCE]}
    if not some or not settings.planning_days:
        return [], False
    types = {one.uid: one.pims_id for one in (await site.types(call)).values() if one.uid and bookable(one)}
    practice = await site.practice_now(call)
    if call.at is None:
        raise PimsUnavailable("ezyVet does not say what time it is.", outcome_unknown=False)
    first = call.at.astimezone(ZoneInfo(practice.timezone)).date()
    days = [first + timedelta(days=ahead) for ahead in range(settings.planning_days)]
    known: defaultdict[str, dict[date, Cells]] = defaultdict(dict)
    for week in (days[at : at + DAYS_AT_ONCE] for at in range(0, len(days), DAYS_AT_ONCE)):
        for row in await _availability(call, settings, [*some], week):
            if row.column in some:
                known[row.column][row.attributes.date] = _cells(row, types)
    rules = []
    for uid, column in some.items():
        rules += _rules(column, known[uid], frozenset(types.values()))
    return rules, (group + 1) * COLUMNS_AT_ONCE < len(columns)


def bookable(row: wire.AppointmentType) -> bool:
    return row.is_active and not words.is_block(row.name)


async def _availability(call: Call, settings: Settings, uids: list[str], days: list[date]) -> list[AvailabilityRow]:
    query = [("resources[]", one) for one in uids] + [("dates[]", day.isoformat()) for day in days]
    query.append(("duration", str(SLOT_MINUTES)))
    try:
        return (await call.get(PATH, Availability, query)).data
    except Refused as refusal:
        if refusal.status not in (404, 410):
            raise
        return (await call.get(FORMER_PATH, Availability, query, base=settings.booking_url)).data


def _cells(row: AvailabilityRow, types: dict[str, str]) -> Cells:
    cells: list[set[str]] = [set() for _ in range(CELLS)]
    for slot in row.attributes.slots:
        at = _wall_clock(slot.start, row.attributes.date)
        if at.date() != row.attributes.date:
            continue
        first = (at.hour * 60 + at.minute) // CELL
        allowed = {types[one.id] for one in slot.relationships.types.data if one.id in types}
        for cell in range(first, min(first + slot.duration // CELL, CELLS)):
            cells[cell] |= allowed
    return [frozenset(one) for one in cells]


def _wall_clock(start: str, day: date) -> datetime:
    """Read a slot's start as the clock on the practice's wall shows it."""
    try:
        if "T" in start:
            return datetime.fromisoformat(start).replace(tzinfo=None)
        return datetime.combine(day, time.fromisoformat(start).replace(tzinfo=None))
    except ValueError:
        raise PimsUnavailable("ezyVet's availability cannot be read.", outcome_unknown=False) from None


def _rules(column: wire.Resource, known: dict[date, Cells], every_type: frozenset[str]) -> list[PlanningRule]:
    if not any(one for cells in known.values() for one in cells):
        return []
    spans: defaultdict[frozenset[str], list[tuple[date, int, int]]] = defaultdict(list)
    for day, cells in sorted(known.items()):
        first = 0
        for cell in range(1, CELLS + 1):
            if cell == CELLS or cells[cell] != cells[first]:
                spans[cells[first]].append((day, first * CELL, cell * CELL))
                first = cell
    rules = []
    for types, when in sorted(spans.items(), key=lambda one: sorted(one[0])):
        if types == every_type:
            continue
        named = sorted(types, key=int)
        rules.append(
            PlanningRule(
                pims_id=":".join(("planning", column.pims_id, "+".join(named) or "closed")),
                name=f"Planning guides of {column.name}",
                effect="reserve" if named else "deny",
                when=tuple(recurring(when)),
                appointment_types=tuple(named) if named else None,
                resources=(column.pims_id,),
            )
        )
    return rules


def recurring(spans: list[tuple[date, int, int]]) -> list[RecurringTime]:
    """Write days with the same minutes as one time of the week, exceptions named, where that is shorter."""
    days: defaultdict[tuple[int, int], list[date]] = defaultdict(list)
    for day, opens, closes in spans:
        days[opens, closes].append(day)
    found = []
    for (opens, closes), dates in sorted(days.items()):
        weekdays = {day.weekday() for day in dates}
        reach = (dates[-1] - dates[0]).days
        due = [day for ahead in range(reach + 1) if (day := dates[0] + timedelta(days=ahead)).weekday() in weekdays]
        missing = sorted(set(due) - set(dates))
        length = timedelta(minutes=closes - opens)
        if len(dates) == 1 or len(missing) > len(dates):
            found += [RecurringTime(starts=_at(day, opens), duration=length) for day in dates]
            continue
        by_day = ",".join(WEEKDAYS[weekday] for weekday in sorted(weekdays))
        found.append(
            RecurringTime(
                starts=_at(dates[0], opens),
                duration=length,
                rrule=f"FREQ=WEEKLY;COUNT={len(due)};BYDAY={by_day}",
                exdates=tuple(missing),
            )
        )
    return found


def _at(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)
