"""EzyVet's rows as records in the contract's words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pims_adapters import contract
from pims_adapters.ezyvet import wire, words
from pims_adapters.ezyvet.line import Call
from pims_adapters.ezyvet.marker import marker_of
from pims_adapters.ezyvet.paging import compared, every_row_settled
from pims_adapters.ezyvet.site import Site

AT_ONCE = 100
"""How many identifiers stand in one filter."""
FEWEST_DIGITS = 7


def resource(row: wire.Resource) -> contract.Resource:
    return contract.Resource(pims_id=row.pims_id, name=row.name, resource_kind=words.column_kind(row.name))


def appointment_type(row: wire.AppointmentType) -> contract.AppointmentType:
    minutes = wire.number(row.default_duration) or 0
    return contract.AppointmentType(pims_id=row.pims_id, name=row.name, duration=timedelta(minutes=minutes))


def client(row: wire.Contact, details: list[wire.ContactDetail]) -> contract.Client:
    """Read a contact; what a detail is shows in its value, as its type's number is each site's own."""
    values = [one.value.strip() for one in details if one.is_active and one.value]
    return contract.Client(
        pims_id=row.pims_id,
        given_name=row.first_name or "",
        family_name=row.last_name or row.business_name or "",
        phones=tuple(one for one in values if "@" not in one and len(re.findall(r"\d", one)) >= FEWEST_DIGITS),
        emails=tuple(one for one in values if "@" in one),
        active=row.is_active and wire.truth(row.is_customer),
        marker=marker_of(*(one.name for one in details)),
    )


async def details_of(call: Call, ids: Iterable[int]) -> dict[int, list[wire.ContactDetail]]:
    """Read the phones and emails of contacts, by their numbers."""
    found: defaultdict[int, list[wire.ContactDetail]] = defaultdict(list)
    for some in batches(sorted(set(ids))):
        query = {"contact_id": compared(**{"in": some})}
        for one in await every_row_settled(call, "/v1/contactdetail", wire.ContactDetail, query):
            found[one.contact_id].append(one)
    return found


async def clients(call: Call, rows: list[wire.Contact]) -> list[contract.Client]:
    """Read contacts with their details."""
    details = await details_of(call, (row.id for row in rows))
    return [client(row, details.get(row.id, [])) for row in rows]


async def contacts_by_id(call: Call, ids: Iterable[int]) -> list[wire.Contact]:
    found: list[wire.Contact] = []
    for some in batches(sorted(set(ids))):
        found += await every_row_settled(call, "/v1/contact", wire.Contact, {"id": compared(**{"in": some})})
    return found


async def patients(call: Call, site: Site, rows: list[wire.Animal]) -> list[contract.Patient]:
    """Read animals; one that belongs to nobody is left out."""
    species = await _names(call, site, "/v1/species", [row.species_id for row in rows])
    breeds = await _names(call, site, "/v1/breed", [row.breed_id for row in rows])
    sexes = await _names(call, site, "/v1/sex", [row.sex_id for row in rows])
    zone = await site.zone(call)
    return [
        contract.Patient(
            pims_id=row.pims_id,
            client=owner,
            name=row.name or "",
            species=words.ours(species.get(wire.identifier(row.species_id), ""), words.SPECIES),
            breed=breeds.get(wire.identifier(row.breed_id), ""),
            sex=words.ours(sexes.get(wire.identifier(row.sex_id), ""), words.SEXES),
            birth_date=_day(row.date_of_birth, zone),
            status=_status(row),
            marker=marker_of(row.notes),
        )
        for row in rows
        if (owner := wire.identifier(row.contact_id)) is not None
    ]


async def appointments(call: Call, site: Site, rows: list[wire.Appointment]) -> list[contract.Appointment]:
    """Read the calendar's entries, blocks among them: whatever is not cancelled keeps its columns busy."""
    if not rows:
        return []
    types = await site.types_with(call, {one for row in rows if (one := wire.identifier(row.type_id))})
    statuses = await _names(call, site, "/v1/appointmentstatus", [row.status_id for row in rows])
    used = {
        one
        for row in rows
        for each in row.resources
        if (one := wire.identifier(each.id if isinstance(each, wire.Used) else each))
    }
    columns = await site.columns_with(call, used)
    unit = await site.seconds_per_unit(call)
    found = []
    for row in rows:
        type_id = wire.identifier(row.type_id)
        kind = types.get(type_id or "")
        block = kind is not None and words.is_block(kind.name)
        start = wire.instant(row.start_at)
        found.append(
            contract.Appointment(
                pims_id=row.pims_id,
                start=start,
                end=start + timedelta(seconds=row.duration * unit),
                resources=columns.used_by(row),
                status=(
                    words.status_of(statuses.get(wire.identifier(row.status_id), "")) if row.is_active else "cancelled"
                ),
                appointment_type=None if block else type_id,
                client=None if block else wire.identifier(row.contact_id),
                patient=None if block else wire.identifier(row.animal_id),
                description=row.description or (kind.name if kind is not None and block else ""),
                marker=marker_of(row.description),
            )
        )
    return found


def batches(ids: list[int]) -> list[list[int]]:
    return [ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE)]


async def _names(call: Call, site: Site, path: str, ids: list[wire.Loose]) -> dict[str | None, str]:
    asked = {one for each in ids if (one := wire.identifier(each)) is not None}
    return {id_: row.name for id_, row in (await site.named(call, path, asked)).items()} if asked else {}


def _day(value: wire.Loose, zone: ZoneInfo) -> date | None:
    """Read a day that comes as epoch seconds, or written out."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return None
    seconds = wire.number(value)
    try:
        return None if seconds is None else wire.instant(seconds).astimezone(zone).date()
    except (OverflowError, ValueError):
        return None


def _status(row: wire.Animal) -> Literal["active", "inactive", "deceased"]:
    if wire.truth(row.is_dead) or wire.number(row.date_of_death) is not None:
        return "deceased"
    return "active" if row.is_active else "inactive"
