"""Survey: read a whole PIMS, write nothing, and say what an import would find.

The first one brings the names for the mapping; later ones are the dry run: they count, and tell what does not fit.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from booking.connect.mapping import OUR_SPECIES, Mapping
from booking.local_days import same_clock
from pims_adapters import contract as pims

MOST_PAGES: Final = 2_000
MOST_CONFLICTS: Final = 200
FREES_ITS_TIME: Final = ("cancelled", "no_show")


class Column(Struct, frozen=True, kw_only=True):
    """A column of the PIMS's schedule. `ahead`: how many appointments are still to come in it."""

    pims_id: str
    name: str
    kind: str
    ahead: int = 0


class TypeSeen(Struct, frozen=True, kw_only=True):
    """An appointment type of the PIMS. `ahead`: how many appointments of it are still to come."""

    pims_id: str
    name: str
    minutes: int
    ahead: int = 0


class Conflict(Struct, frozen=True, kw_only=True):
    """Something that does not fit, in words for staff. `blocks`: the import cannot begin before it is mended."""

    kind: str
    message: str
    blocks: bool = False


class Survey(Struct, frozen=True, kw_only=True):
    """What a PIMS holds. `mapping`: a digest of the mapping that the conflicts were found with."""

    at: datetime
    practice_pims_id: str
    practice_name: str
    timezone: str
    counts: dict[str, int]
    columns: list[Column]
    types: list[TypeSeen]
    species: dict[str, int]
    conflicts: list[Conflict]
    more_conflicts: int
    mapping: str

    @property
    def blocked(self) -> bool:
        """Whether anything has to be mended before the import."""
        return any(one.blocks for one in self.conflicts)


class Booked(Struct, frozen=True, kw_only=True):
    """A visit that was booked with us, on the PIMS's column, as the mapping has it."""

    column: str
    start: datetime
    end: datetime
    pims_id: str | None


def digest(mapping: Mapping) -> str:
    """Return a text that differs where mappings do."""
    return hashlib.sha256(msgspec.json.encode(mapping)).hexdigest()[:32]


async def survey(
    adapter: pims.PimsAdapter, mapping: Mapping, ours: Iterable[Booked], *, timezone: str, now: datetime
) -> Survey:
    """Read every feed from its beginning. `ours`: what was booked with us; `timezone`: the practice's, as we have it.

    Raises the adapter's `PimsError`s.
    """
    checked = await adapter.check()
    held: dict[tuple[str, str], pims.Change] = {}
    for feed in adapter.feeds:
        async for change in _all_of(adapter, feed.name):
            _keep(held, change)
    records = list(held.values())
    coming = [
        one
        for one in records
        if isinstance(one, pims.Appointment) and one.end > now and one.status not in FREES_ITS_TIME
    ]
    by_column = Counter(column for one in coming for column in one.resources)
    by_type = Counter(one.appointment_type for one in coming)
    columns = [
        Column(pims_id=one.pims_id, name=one.name, kind=one.resource_kind, ahead=by_column[one.pims_id])
        for one in records
        if isinstance(one, pims.Resource)
    ]
    types = [
        TypeSeen(
            pims_id=one.pims_id,
            name=one.name,
            minutes=round(one.duration.total_seconds() / 60),
            ahead=by_type[one.pims_id],
        )
        for one in records
        if isinstance(one, pims.AppointmentType)
    ]
    species = Counter(one.species for one in records if isinstance(one, pims.Patient))
    conflicts = [
        *_about_the_practice(checked.practice, timezone, now),
        *_about_columns(columns, coming, mapping),
        *_about_types(types, mapping),
        *_about_species(species, mapping),
        *_about_people(records),
        *_about_times(coming, ours),
    ]
    return Survey(
        at=now,
        practice_pims_id=checked.practice.pims_id,
        practice_name=checked.practice.name,
        timezone=checked.practice.timezone,
        counts=dict(sorted(Counter(kind for kind, _ in held).items())),
        columns=sorted(columns, key=lambda one: (one.kind, one.name)),
        types=sorted(types, key=lambda one: one.name),
        species=dict(species.most_common(200)),
        conflicts=conflicts[:MOST_CONFLICTS],
        more_conflicts=max(len(conflicts) - MOST_CONFLICTS, 0),
        mapping=digest(mapping),
    )


async def _all_of(adapter: pims.PimsAdapter, feed: str) -> AsyncIterator[pims.Change]:
    """Yield what a feed brings, page by page, from its beginning."""
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await adapter.changes(feed, cursor)
        for change in page.changes:
            yield change
        if not page.more:
            return
        cursor = page.cursor
    raise pims.PimsUnavailable("The PIMS keeps sending changes without an end.", outcome_unknown=False)


def _keep(held: dict[tuple[str, str], pims.Change], change: pims.Change) -> None:
    """Keep a record in its latest state, and none that is gone or was joined into another."""
    match change:
        case pims.Gone() | pims.Merged():
            held.pop((change.of, change.pims_id), None)
        case _:
            held[type(change).__name__.lower(), change.pims_id] = change


def _about_the_practice(found: pims.Practice, timezone: str, now: datetime) -> Iterator[Conflict]:
    """Times mean nothing if the PIMS and we do not mean the same zone."""
    if found.timezone and not same_clock(found.timezone, timezone, now):
        message = f"The PIMS is in the time zone {found.timezone}, the practice's settings say {timezone}."
        yield Conflict(kind="timezone", message=f"{message} Please mend the one that is wrong.", blocks=True)


def _about_columns(columns: list[Column], coming: list[pims.Appointment], mapping: Mapping) -> Iterator[Conflict]:
    """Time on a column that we do not see would be offered to others."""
    known = {one.pims_id for one in columns}
    for one in columns:
        if one.ahead and mapping.ignores("resource", one.pims_id):
            message = f"“{one.name}” is ignored and has {one.ahead} appointments to come: their time will look free."
            yield Conflict(kind="ignored_column", message=message)
    for missing in sorted({column for one in coming for column in one.resources} - known):
        message = f"Appointments stand in a column “{missing}” of which the PIMS tells nothing else."
        yield Conflict(kind="unknown_column", message=message)
    for link in mapping.resources:
        if link.pims_id not in known:
            message = f"The mapping names a column “{link.pims_id}”, which the PIMS does not have."
            yield Conflict(kind="mapping", message=message, blocks=True)


def _about_types(types: list[TypeSeen], mapping: Mapping) -> Iterator[Conflict]:
    """A link to nothing could never be written."""
    known = {one.pims_id for one in types}
    for link in mapping.types:
        if link.pims_id not in known:
            message = f"The mapping names a type “{link.pims_id}”, which the PIMS does not have."
            yield Conflict(kind="mapping", message=message, blocks=True)


def _about_species(species: Counter[str], mapping: Mapping) -> Iterator[Conflict]:
    """A word that we do not know is kept, but no appointment type is offered to it."""
    for word, count in species.most_common():
        if word not in OUR_SPECIES and word not in mapping.species:
            message = f"{count} patients are “{word}”, which no appointment type is offered to. Say what it means."
            yield Conflict(kind="species", message=message)


def _about_people(records: list[pims.Change]) -> Iterator[Conflict]:
    """Patients without their clients, and clients whom nobody could recognize."""
    clients = {one.pims_id: one for one in records if isinstance(one, pims.Client)}
    strays = sum(isinstance(one, pims.Patient) and one.client not in clients for one in records)
    if strays:
        message = f"{strays} patients belong to clients that the PIMS does not show; they will be left out."
        yield Conflict(kind="patients_without_clients", message=message)
    silent = sum(one.active and not one.phones and not one.emails for one in clients.values())
    if silent:
        message = f"{silent} clients have neither phone nor email, so they cannot be recognized when they book."
        yield Conflict(kind="clients_without_contact", message=message)


def _about_times(coming: list[pims.Appointment], ours: Iterable[Booked]) -> Iterator[Conflict]:
    """What was booked with us already and meets something else in the PIMS."""
    by_column: dict[str, list[pims.Appointment]] = {}
    for one in sorted(coming, key=lambda each: each.start):
        for column in one.resources:
            by_column.setdefault(column, []).append(one)
    longest = max((one.end - one.start for one in coming), default=None)
    for booked in ours:
        there = by_column.get(booked.column, [])
        if longest is None or not there:
            continue
        first = bisect_left(there, booked.start - longest, key=lambda each: each.start)
        for other in there[first:]:
            if other.start >= booked.end:
                break
            if other.end > booked.start and other.pims_id != booked.pims_id:
                message = f"A visit booked with us on {booked.start:%Y-%m-%d %H:%M} UTC meets another in the PIMS."
                yield Conflict(kind="double_booking", message=message)
                break
