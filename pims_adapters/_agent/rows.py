"""Rows in the contract's words: what an agent sends of its PIMS, as booking reads it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pims_adapters import contract
from pims_adapters._agent import protocol
from pims_adapters._agent.dialect import Dialect
from pims_adapters._agent.marker import key_in, without_marker

SHORTEST = timedelta(minutes=5)
"""How long an appointment is taken to be that the system keeps without a length: it stands in the way of another."""

GONE: dict[protocol.Table, contract.RecordKind] = {
    "staff": "resource",
    "room": "resource",
    "type": "appointmenttype",
    "closure": "closure",
    "block": "blockoff",
    "client": "client",
    "patient": "patient",
    "appointment": "appointment",
    "vaccine": "vaccination",
    "reminder": "reminder",
}


def staff_column(staff: str) -> str:
    """Return a person's column: people and rooms are numbered apart, and their numbers may be the same."""
    return f"staff/{staff}"


def room_column(room: str) -> str:
    """Return a room's column."""
    return f"room/{room}"


def columns_of(resources: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Return the person and the room among columns: these systems keep one of each with an appointment."""
    staff = (one.removeprefix("staff/") for one in resources if one.startswith("staff/"))
    rooms = (one.removeprefix("room/") for one in resources if one.startswith("room/"))
    return next(staff, None), next(rooms, None)


def to_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of a local time; of an hour that comes twice, its first."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def to_local(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return an instant as the practice's clocks show it."""
    return instant.astimezone(zone).replace(tzinfo=None)


def read_rows(rows: tuple[protocol.AnyRow, ...], dialect: Dialect, zone: ZoneInfo) -> list[contract.Change]:
    """Return rows in the contract's words, in their order."""
    return [change for row in rows for change in read_row(row, dialect, zone)]


def read_row(row: protocol.AnyRow, dialect: Dialect, zone: ZoneInfo) -> Iterator[contract.Change]:
    """Yield what a row says, which for some is more than one thing."""
    match row:
        case protocol.Staff() | protocol.Room():
            yield _resource(row, dialect)
        case protocol.Type(active=True):
            yield contract.AppointmentType(
                pims_id=row.id, name=row.name or row.id, duration=max(timedelta(minutes=row.minutes), SHORTEST)
            )
        case protocol.Type():
            yield contract.Gone(of="appointmenttype", pims_id=row.id)
        case protocol.Closure():
            yield contract.Closure(pims_id=row.id, name=row.name, first=row.first, last=max(row.first, row.last))
        case protocol.Block():
            yield from _block(row)
        case protocol.Client():
            yield _client(row, dialect)
        case protocol.Patient():
            yield _patient(row, dialect)
        case protocol.Appointment():
            yield _appointment(row, dialect, zone)
        case protocol.Vaccine():
            yield contract.Vaccination(pims_id=row.id, patient=row.patient, name=row.name, given=row.given, due=row.due)
        case protocol.Reminder():
            yield contract.Reminder(
                pims_id=row.id,
                patient=row.patient,
                name=row.name,
                due=row.due,
                done=row.done,
                appointment_type=row.type,
            )
        case protocol.Merged():
            yield contract.Merged(of=row.of, pims_id=row.id, into=row.into)
        case protocol.Gone():
            yield from _gone(row)


def _resource(row: protocol.Staff | protocol.Room, dialect: Dialect) -> contract.Resource | contract.Gone:
    pims_id = staff_column(row.id) if isinstance(row, protocol.Staff) else room_column(row.id)
    if not row.active:
        return contract.Gone(of="resource", pims_id=pims_id)
    return contract.Resource(
        pims_id=pims_id,
        name=row.name or row.id,
        resource_kind=dialect.titles.ours(row.title, "provider") if isinstance(row, protocol.Staff) else "room",
        hours=None if row.hours is None else tuple(_recurring(one) for one in row.hours),
    )


def _recurring(time: protocol.Hours | protocol.Block) -> contract.RecurringTime:
    return contract.RecurringTime(starts=time.starts, duration=timedelta(minutes=time.minutes), rrule=time.rrule)


def _block(row: protocol.Block) -> Iterator[contract.BlockOff]:
    time, reason = _recurring(row), row.notes
    if row.staff is not None:
        yield contract.BlockOff(pims_id=row.id, resource=staff_column(row.staff), time=time, reason=reason)
    if row.room is not None:
        pims_id = row.id if row.staff is None else _second(row.id)
        yield contract.BlockOff(pims_id=pims_id, resource=room_column(row.room), time=time, reason=reason)


def _client(row: protocol.Client, dialect: Dialect) -> contract.Client:
    return contract.Client(
        pims_id=row.id,
        given_name=row.first_name,
        family_name=row.last_name,
        phones=row.phones,
        emails=row.emails,
        active=dialect.standings.ours(row.status, "active") == "active",
        marker=key_in(row.notes),
    )


def _patient(row: protocol.Patient, dialect: Dialect) -> contract.Patient:
    return contract.Patient(
        pims_id=row.id,
        client=row.client,
        name=row.name,
        species=dialect.species.ours(row.species, row.species),
        breed=row.breed,
        sex=dialect.sexes.ours(row.sex, row.sex),
        birth_date=row.birth_date,
        status=dialect.standings.ours(row.status, "active"),
        marker=key_in(row.notes),
    )


def _appointment(row: protocol.Appointment, dialect: Dialect, zone: ZoneInfo) -> contract.Appointment:
    start = to_instant(row.starts, zone)
    columns = [staff_column(row.staff)] if row.staff is not None else []
    columns += [room_column(row.room)] if row.room is not None else []
    return contract.Appointment(
        pims_id=row.id,
        start=start,
        end=start + max(timedelta(minutes=row.minutes), SHORTEST),
        resources=tuple(columns),
        status=dialect.statuses.ours(row.status, "booked"),
        appointment_type=row.type,
        client=row.client,
        patient=row.patient,
        description=without_marker(row.notes),
        marker=key_in(row.notes),
    )


def _gone(row: protocol.Gone) -> Iterator[contract.Gone]:
    pims_id = {"staff": staff_column, "room": room_column}.get(row.of, str)(row.id)
    yield contract.Gone(of=GONE[row.of], pims_id=pims_id)
    if row.of == "block":
        yield contract.Gone(of="blockoff", pims_id=_second(row.id))


def _second(block: str) -> str:
    """Return the name of the second half of a block that closes a person's column and a room's."""
    return f"{block}/room"
