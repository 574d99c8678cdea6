"""What an agent may ask of the PIMS and write into it: rows in the shape of the agent protocol, in the system's words.

Reads of the log and of whole tables show the system as it was `read_lag` ago, as a copy made now and then would.
Looking for a marker, for a client and for one record look into the system itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
from dateutil.rrule import rrulestr
from msgspec import Struct
from msgspec.structs import replace

from pims_adapters._agent import protocol
from pims_adapters._agent.protocol import AnyRow, Appointment, Block, Client, Closure, Patient, Staff, Type
from tests.clinic_simulator.staff import check_columns, existing
from tests.clinic_simulator.store import Document, Entry, Refused, Store, local_span


class About(Struct, frozen=True, kw_only=True):
    """What the system says of itself; `clock` is its own."""

    system: str
    version: str
    practice: str
    practice_name: str
    timezone: str
    clock: datetime
    write_lag_seconds: float
    skew_seconds: float


class Changes(Struct, frozen=True, kw_only=True):
    """A page of the log. `age_seconds`: how old what it shows is; `skew_seconds`: how wrong the machine's clock is."""

    rows: tuple[AnyRow, ...]
    cursor: str
    more: bool
    age_seconds: float
    skew_seconds: float


class Listed(Struct, frozen=True, kw_only=True):
    """Rows of a table. `age_seconds`: how old what they show is; `next`: go on after this one, there are more."""

    rows: tuple[AnyRow, ...]
    age_seconds: float = 0
    next: str | None = None


def about(store: Store) -> About:
    settings = store.settings
    return About(
        system=store.dialect.system,
        version=store.dialect.version,
        practice=store.practice,
        practice_name=store.name,
        timezone=settings.said_zone or store.zone.key,
        clock=store.now + timedelta(seconds=settings.skew),
        write_lag_seconds=settings.write_lag[1],
        skew_seconds=settings.skew,
    )


def changes(store: Store, tables: list[str], cursor: str | None, most: int) -> Changes:
    """Return what the log tells after a cursor; each record once a page, as it last stood there."""
    entries, more = store.changes(tables, position(store, cursor), most)
    at = entries[-1].sequence if entries else position(store, cursor)
    return Changes(
        rows=once_each(entries),
        cursor=f"{store.era}.{at}",
        more=more,
        age_seconds=store.settings.read_lag,
        skew_seconds=store.settings.skew,
    )


def once_each(entries: list[Entry]) -> tuple[AnyRow, ...]:
    """Return the rows of log entries, of several for one record the last."""
    last: dict[tuple[str, str], AnyRow] = {}
    for entry in entries:
        last.pop((entry.table, entry.id), None)
        last[entry.table, entry.id] = entry.row
    return tuple(last.values())


def position(store: Store, cursor: str | None) -> int:
    """Return the place in the log that a cursor names. Refused with 410 where it is from before a noticed restore."""
    if cursor is None:
        return 0
    era, _, sequence = cursor.partition(".")
    if not (era.isdigit() and sequence.isdigit()):
        raise Refused(422, "invalid", f"{cursor!r} is no cursor of this system.")
    if int(era) != store.era:
        raise Refused(410, "cursor_expired", "The log no longer knows this cursor.")
    return int(sequence)


def listing(store: Store, table: str, first: date, last: date, *, after: str | None, most: int) -> Listed:
    """Return everything of a table, by identifier; of the schedule what touches the local days."""
    rows = sorted((row for row in store.seen[table].values() if _touches(row, first, last)), key=_by_number)
    if after is not None:
        rows = [row for row in rows if _by_number(row) > (len(after), after)]
    age = store.settings.read_lag
    return Listed(rows=tuple(rows[:most]), age_seconds=age, next=rows[most - 1].id if len(rows) > most else None)


def _by_number(row: AnyRow) -> tuple[int, str]:
    return len(row.id), row.id


def _touches(row: AnyRow, first: date, last: date) -> bool:
    begin, end = datetime.combine(first, time()), datetime.combine(last + timedelta(days=1), time())
    if isinstance(row, Closure):
        return row.first <= last and first <= row.last
    if isinstance(row, Block) and row.rrule is not None:
        earliest = begin - timedelta(minutes=row.minutes)
        return any(
            begin < each + timedelta(minutes=row.minutes)
            for each in rrulestr(row.rrule, dtstart=row.starts).between(earliest, end, inc=True)
            if each < end
        )
    if isinstance(row, Appointment | Block):
        starts, ends = local_span(row)
        return starts < end and begin < ends
    return True


def find(store: Store, table: str, marker: str) -> str | None:
    """Return the record whose notes carry a marker."""
    found = (store.get(table, id_) for id_ in store.index(table).with_marker(marker))
    return next((row.id for row in found if row is not None and marker in getattr(row, "notes", "")), None)


def read(store: Store, table: str, id_: str) -> Listed:
    row = store.get(table, id_)
    return Listed(rows=(row,) if row is not None else ())


def find_clients(store: Store, phone: str | None, email: str | None) -> Listed:
    """Return the clients with this phone, by its last ten digits, or this email."""
    index = store.index("client")
    ids = [*(index.with_phone(phone) if phone else ()), *(index.with_email(email) if email else ())]
    rows = (store.get("client", id_) for id_ in dict.fromkeys(ids))
    return Listed(rows=tuple(row for row in rows if row is not None))


def find_conversation(store: Store, marker: str) -> str | None:
    return next((each.id for each in store.documents.values() if marker in each.text), None)


# Writes: each is a check, which refuses at once, and an act, which happens when the write lag has passed.


def _new_client(store: Store, body: protocol.CreateClient) -> str:
    row = Client(
        id=store.new_id("client"),
        first_name=body.first_name,
        last_name=body.last_name,
        phones=(body.phone,) if body.phone else (),
        emails=(body.email,) if body.email else (),
        address=body.address,
        city=body.city,
        postal_code=body.postal_code,
        notes=body.notes,
    )
    store.put("client", row)
    return row.id


def _check_client(store: Store, body: protocol.CreateClient) -> None:
    del store
    if not body.first_name or not body.last_name or not (body.phone or body.email):
        raise Refused(422, "incomplete", "A client needs a first name, a last name, and a phone or an email.")


def _check_patient(store: Store, body: protocol.CreatePatient) -> None:
    existing(store, "client", body.client, Client)
    if not body.name or body.species not in store.dialect.species:
        raise Refused(422, "incomplete", f"A patient needs a name, and a species out of {store.dialect.species}.")
    if body.sex and body.sex not in store.dialect.sexes:
        raise Refused(422, "unknown", f"A sex is one of {store.dialect.sexes}.")


def _new_patient(store: Store, body: protocol.CreatePatient) -> str:
    row = Patient(
        id=store.new_id("patient"),
        client=body.client,
        name=body.name,
        species=body.species,
        breed=body.breed,
        sex=body.sex,
        birth_date=body.birth_date,
        notes=body.notes,
    )
    store.put("patient", row)
    return row.id


def _check_appointment(store: Store, body: protocol.CreateAppointment) -> None:
    existing(store, "client", body.client, Client)
    patient = existing(store, "patient", body.patient, Patient)
    existing(store, "type", body.type, Type)
    check_columns(store, body.staff, body.room)
    _check_author(store, body.author)
    if patient.client != body.client:
        raise Refused(422, "unknown", f"Patient {body.patient!r} does not belong to client {body.client!r}.")
    if body.minutes == 0 or (body.staff is None and body.room is None):
        raise Refused(422, "incomplete", "An appointment takes some time of a person or a room.")
    if store.settings.refuses_taken:
        _check_free(store, body)


def _check_free(store: Store, body: protocol.CreateAppointment) -> None:
    begin, end = body.starts, body.starts + timedelta(minutes=body.minutes)
    for row in (*store.rows("appointment"), *store.rows("block")):
        if not isinstance(row, Appointment | Block) or getattr(row, "status", "") in store.dialect.freeing:
            continue
        shared = (body.staff is not None and row.staff == body.staff) or (
            body.room is not None and row.room == body.room
        )
        starts, ends = local_span(row)
        if shared and starts < end and begin < ends:
            raise Refused(409, "taken", f"That time is taken from {starts:%H:%M} to {ends:%H:%M}.")


def _new_appointment(store: Store, body: protocol.CreateAppointment) -> str:
    row = Appointment(
        id=store.new_id("appointment"),
        starts=body.starts,
        minutes=body.minutes,
        staff=body.staff,
        room=body.room,
        type=body.type,
        client=body.client,
        patient=body.patient,
        notes=body.notes,
    )
    store.put("appointment", row)
    return row.id


def _check_status(store: Store, body: protocol.SetStatus) -> None:
    existing(store, "appointment", body.id, Appointment)
    _check_author(store, body.author)
    if body.status not in (*store.dialect.statuses.values(), *store.dialect.more_statuses):
        raise Refused(422, "unknown", f"{body.status!r} is no status here.")


def _set_status(store: Store, body: protocol.SetStatus) -> str:
    row = existing(store, "appointment", body.id, Appointment)
    store.put("appointment", replace(row, status=body.status))
    return row.id


def _check_document(store: Store, body: protocol.ExportConversation) -> None:
    existing(store, "client", body.client, Client)
    _check_author(store, body.author)


def _new_document(store: Store, body: protocol.ExportConversation) -> str:
    document = Document(
        id=store.new_id("document"),
        client=body.client,
        patient=body.patient,
        title=body.title,
        text=body.text if body.marker in body.text else f"{body.text}\n{body.marker}",
        author=body.author,
    )
    store.documents[document.id] = document
    return document.id


def _check_author(store: Store, author: str | None) -> None:
    if author is not None:
        existing(store, "staff", author, Staff)


WRITES: dict[str, tuple[type[Struct], Callable[[Store, Any], None], Callable[[Store, Any], str]]] = {
    "create_client": (protocol.CreateClient, _check_client, _new_client),
    "create_patient": (protocol.CreatePatient, _check_patient, _new_patient),
    "create_appointment": (protocol.CreateAppointment, _check_appointment, _new_appointment),
    "confirm_appointment": (protocol.SetStatus, _check_status, _set_status),
    "cancel_appointment": (protocol.SetStatus, _check_status, _set_status),
    "set_status": (protocol.SetStatus, _check_status, _set_status),
    "export_conversation": (protocol.ExportConversation, _check_document, _new_document),
}
"""What can be written: what it is told, what is checked at once, what it does when its time has come."""


def write(store: Store, call: str, body: bytes) -> str | None:
    """Write at once and return the identifier; with a write lag accept, and return None."""
    if call not in WRITES:
        raise Refused(404, "no_such_path", f"There is no write {call!r}.")
    if store.settings.read_only:
        raise Refused(403, "read_only", "The database is open for reading only.")
    if call not in store.settings.writes:
        raise Refused(405, "unsupported", f"{store.dialect.system} takes no {call} from outside.")
    type_, check, act = WRITES[call]
    draft = msgspec.json.decode(body, type=type_)
    check(store, draft)
    lag = store.write_lag()
    if lag > 0:
        store.wait_for(lag, call, body)
        return None
    return act(store, draft)


def show_pending(store: Store, call: str, body: bytes) -> str:
    """Let something accepted earlier come to stand; refused where staff have made it impossible meanwhile."""
    type_, check, act = WRITES[call]
    draft = msgspec.json.decode(body, type=type_)
    check(store, draft)
    return act(store, draft)
