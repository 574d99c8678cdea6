"""What the demo PIMS offers other systems: read the practice, follow its changes, create records, change appointments.

It knows no idempotency: the same creation sent twice makes two records. It refuses an appointment from outside where a
column is taken or blocked off; staff at their screens (`staff`) may do as they like.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from pims_adapters.demo.clinic.records import (
    FREE_STATES,
    KINDS,
    AnyRecord,
    Appointment,
    Block,
    Client,
    Column,
    Holiday,
    Patient,
    Practice,
    VisitType,
)
from pims_adapters.demo.clinic.schedule import refusal, to_local
from pims_adapters.demo.clinic.store import CursorForgotten, Store

MOST_CHANGES = 500
LONGEST_WINDOW = timedelta(days=62)

Word = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(max_length=200)]
Long = Annotated[str, Meta(max_length=4000)]
Instant = Annotated[datetime, Meta(tz=True)]


class Refused(Exception):
    """The request cannot stand; `code` and the reason go back with the status."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


class NewClient(Struct, kw_only=True, forbid_unknown_fields=True):
    """A client to be created."""

    first_name: Word
    last_name: Word
    phones: Annotated[list[Words], Meta(max_length=5)] = []
    emails: Annotated[list[Words], Meta(max_length=5)] = []
    external_key: Word | None = None


class NewPatient(Struct, kw_only=True, forbid_unknown_fields=True):
    """A patient to be created for a client."""

    client_id: Word
    name: Word
    species: Word
    breed: Words = ""
    sex: Words = ""
    born: date | None = None
    external_key: Word | None = None


class NewAppointment(Struct, kw_only=True, forbid_unknown_fields=True):
    """An appointment to be created; staff may leave out whom it is for."""

    start: Instant
    end: Instant
    columns: Annotated[list[Word], Meta(min_length=1, max_length=10)]
    type_id: Word | None = None
    client_id: Word | None = None
    patient_id: Word | None = None
    note: Long = ""
    external_key: Word | None = None


class Move(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where an appointment goes; without `end` it keeps its length, without `columns` its columns."""

    start: Instant
    end: Instant | None = None
    columns: Annotated[list[Word], Meta(min_length=1, max_length=10)] | None = None


class Nothing(Struct, kw_only=True, forbid_unknown_fields=True):
    """A body that says nothing more than its address."""


class ChangePage(Struct):
    """A page of the change log."""

    changes: list[msgspec.Raw]
    cursor: str
    more: bool
    as_of: datetime


def practice(store: Store) -> Practice:
    return store.all(Practice)[0]


def changes(store: Store, cursor: str | None, limit: int, now: datetime) -> ChangePage:
    """Return the page after the cursor; the page shows the practice at `now`."""
    try:
        found, after, more = store.changes(cursor, max(1, min(limit, MOST_CHANGES)))
    except CursorForgotten:
        raise Refused(410, "cursor_expired", "The change log no longer reaches back to this cursor.") from None
    return ChangePage(found, after, more, now)


def read(store: Store, kind: str, id_: str) -> AnyRecord:
    found: AnyRecord | None = store.get(KINDS[kind], id_)
    if found is None:
        raise Refused(404, "no_such_record", f"There is no {id_!r} among the {kind}.")
    return found


def with_key(store: Store, kind: str, external_key: str) -> list[AnyRecord]:
    return list(store.with_key(KINDS[kind], external_key))


def appointments(store: Store, start: datetime, end: datetime) -> list[Appointment]:
    if not start < end <= start + LONGEST_WINDOW:
        raise Refused(422, "bad_window", "Ask for at most 62 days, with `from` before `to`.")
    return store.appointments(start, end)


def create_client(store: Store, draft: NewClient) -> str:
    with store.transaction():
        record = Client(id=store.new_id("clients"), **msgspec.structs.asdict(draft))
        store.put(record)
    return record.id


def create_patient(store: Store, draft: NewPatient) -> str:
    with store.transaction():
        if store.get(Client, draft.client_id) is None:
            raise _unknown("client", draft.client_id)
        record = Patient(id=store.new_id("patients"), **msgspec.structs.asdict(draft))
        store.put(record)
    return record.id


def create_appointment(store: Store, draft: NewAppointment) -> str:
    """Put an appointment from outside on the schedule, where staff would let it stand."""
    with store.transaction():
        if draft.type_id is None or draft.client_id is None or draft.patient_id is None:
            raise Refused(422, "incomplete", "An appointment from outside needs a type, a client and a patient.")
        check_appointment(store, draft)
        check_free(store, draft)
        record = new_appointment(store, draft, from_outside=True)
        store.put(record)
    return record.id


def change_appointment(store: Store, id_: str, move: Move) -> str:
    """Move an appointment for somebody outside, to where staff would let it stand; one that is there already stays."""
    with store.transaction():
        record = _open_appointment(store, id_)
        moved = moved_appointment(record, move)
        if moved != record:
            check_appointment(store, moved)
            check_free(store, moved, but=id_)
            store.put(moved)
    return id_


def cancel_appointment(store: Store, id_: str, _: Nothing) -> str:
    with store.transaction():
        record = appointment(store, id_)
        if record.state != "cancelled":
            store.put(replace(_open_appointment(store, id_), state="cancelled"))
    return id_


def confirm_appointment(store: Store, id_: str, _: Nothing) -> str:
    with store.transaction():
        record = _open_appointment(store, id_)
        if record.state != "confirmed":
            store.put(replace(record, state="confirmed"))
    return id_


def moved_appointment(record: Appointment, move: Move) -> Appointment:
    start = move.start.astimezone(UTC)
    end = (move.end or start + (record.end - record.start)).astimezone(UTC)
    return replace(record, start=start, end=end, columns=move.columns or record.columns)


def appointment(store: Store, id_: str) -> Appointment:
    record = store.get(Appointment, id_)
    if record is None:
        raise Refused(404, "no_such_record", f"There is no appointment {id_!r}.")
    return record


def _open_appointment(store: Store, id_: str) -> Appointment:
    record = appointment(store, id_)
    if record.state not in ("scheduled", "confirmed"):
        raise Refused(409, "not_open", f"The appointment is {record.state}.")
    return record


def new_appointment(store: Store, draft: NewAppointment, *, from_outside: bool) -> Appointment:
    fields = msgspec.structs.asdict(draft) | {"start": draft.start.astimezone(UTC), "end": draft.end.astimezone(UTC)}
    return Appointment(id=store.new_id("appointments"), from_outside=from_outside, **fields)


def check_appointment(store: Store, draft: NewAppointment | Appointment) -> None:
    """Refuse what does not fit together: times, columns, type, client and patient."""
    if not timedelta(0) < draft.end - draft.start < timedelta(days=1):
        raise Refused(422, "bad_time", "An appointment ends after it starts, within a day.")
    for column in draft.columns:
        if store.get(Column, column) is None:
            raise _unknown("column", column)
    if draft.type_id is not None and store.get(VisitType, draft.type_id) is None:
        raise _unknown("type", draft.type_id)
    if draft.client_id is not None and store.get(Client, draft.client_id) is None:
        raise _unknown("client", draft.client_id)
    if draft.patient_id is not None:
        patient = store.get(Patient, draft.patient_id)
        if patient is None or patient.client_id != draft.client_id:
            raise _unknown("patient of this client", draft.patient_id)
        if patient.state == "deceased":
            raise Refused(422, "deceased", f"{patient.name} is marked deceased.")


def check_free(store: Store, draft: NewAppointment | Appointment, *, but: str | None = None) -> None:
    """Refuse a time that another appointment than `but` has taken, or that staff keep free."""
    zone = ZoneInfo(practice(store).timezone)
    for other in store.appointments(draft.start, draft.end):
        if other.id == but:
            continue
        shared = [column for column in other.columns if column in draft.columns]
        if shared and other.state not in FREE_STATES:
            begin, end = to_local(other.start, zone), to_local(other.end, zone)
            raise Refused(409, "taken", f"{_label(store, shared[0])} is taken from {begin:%H:%M} to {end:%H:%M}.")
    blocks = [block for block in store.all(Block) if block.column in draft.columns]
    reason = refusal(to_local(draft.start, zone), to_local(draft.end, zone), blocks, store.all(Holiday))
    if reason is not None:
        raise Refused(409, "taken", reason)


def _label(store: Store, column: str) -> str:
    found = store.get(Column, column)
    return found.label if found else column


def _unknown(what: str, id_: str) -> Refused:
    return Refused(422, "unknown", f"There is no {what} {id_!r}.")
