"""What the practice's people do at their screens: anything, double-booking included. One struct an action."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from pims_adapters._agent.protocol import (
    Appointment,
    Block,
    Client,
    Closure,
    Id,
    Local,
    Minutes,
    Patient,
    Reminder,
    Staff,
    Table,
    Type,
    Vaccine,
)
from tests.clinic_simulator.store import Refused, Store

R = TypeVar("R")


class Action(Struct, kw_only=True, forbid_unknown_fields=True):
    """Something done at a screen."""


class Book(Action, kw_only=True):
    """Put an appointment on the schedule; whom and what it is for may be left out."""

    starts: Local
    minutes: Minutes = 30
    staff: Id | None = None
    room: Id | None = None
    type: Id | None = None
    client: Id | None = None
    patient: Id | None = None
    status: str = ""
    notes: str = ""


class Move(Action, kw_only=True):
    """Change when, how long or where an appointment is; what is left out stays."""

    id: Id
    starts: Local | UnsetType = UNSET
    minutes: Minutes | UnsetType = UNSET
    staff: Id | UnsetType | None = UNSET
    room: Id | UnsetType | None = UNSET
    type: Id | UnsetType | None = UNSET
    notes: str | UnsetType = UNSET


class SetStatus(Action, kw_only=True):
    """Give an appointment one of the system's statuses."""

    id: Id
    status: str


class OneAppointment(Action, kw_only=True):
    """Which appointment."""

    id: Id


class Delete(Action, kw_only=True):
    """Delete a record, for an appointment by "Delete the Reservation". `silent` None: as the system does it."""

    table: Table = "appointment"
    id: Id
    silent: bool | None = None


class Undelete(Action, kw_only=True):
    """Bring a deleted record back under its identifier."""

    table: Table = "appointment"
    id: Id


class BlockOff(Action, kw_only=True):
    """Close time of one column, once or again and again."""

    starts: Local
    minutes: Minutes
    staff: Id | None = None
    room: Id | None = None
    rrule: str | None = None
    notes: str = ""


class CreateClient(Action, kw_only=True):
    """Enter a client."""

    first_name: str = ""
    last_name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    status: str = ""


class EditClient(Action, kw_only=True):
    """Change what is known of a client."""

    id: Id
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    phones: tuple[str, ...] | UnsetType = UNSET
    emails: tuple[str, ...] | UnsetType = UNSET
    status: str | UnsetType = UNSET
    notes: str | UnsetType = UNSET


class MergeClients(Action, kw_only=True):
    """Join one client into another: its patients and appointments go along."""

    id: Id
    into: Id


class CreatePatient(Action, kw_only=True):
    """Enter a patient."""

    client: Id
    name: str
    species: str
    breed: str = ""
    sex: str = ""
    birth_date: date | None = None


class EditPatient(Action, kw_only=True):
    """Change what is known of a patient; another `client` is a new owner."""

    id: Id
    client: Id | UnsetType = UNSET
    name: str | UnsetType = UNSET
    species: str | UnsetType = UNSET
    breed: str | UnsetType = UNSET
    sex: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class OnePatient(Action, kw_only=True):
    """Which patient."""

    id: Id


class RemoveProvider(Action, kw_only=True):
    """Take a person off the schedule; their appointments stay where they are."""

    id: Id
    hard: bool = False


class CloseDay(Action, kw_only=True):
    """Close the practice for a day, or until another."""

    first: date
    last: date | None = None
    name: str = "Closed"


class GiveVaccine(Action, kw_only=True):
    """Note a vaccine that was given; a reminder for the next one comes with it, and older ones are done."""

    patient: Id
    name: str
    given: date | None = None
    due: date | None = None


class Remind(Action, kw_only=True):
    """Note what a patient is due for."""

    patient: Id
    name: str
    due: date
    type: Id | None = None


class FinishReminder(Action, kw_only=True):
    """Note that a reminder is done."""

    id: Id


class AddType(Action, kw_only=True):
    """Add something that can be put on the schedule."""

    name: str
    minutes: Annotated[int, Meta(gt=0, le=1440)]


class EditType(Action, kw_only=True):
    """Rename it, or change how long it takes or whether it is used."""

    id: Id
    name: str | UnsetType = UNSET
    minutes: int | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class AddStaff(Action, kw_only=True):
    """Hire somebody."""

    name: str
    title: str | None = None


def existing(store: Store, table: Table, id_: str, kind: type[R]) -> R:
    """Return a record. Raises `Refused` where there is none."""
    found = store.get(table, id_)
    if not isinstance(found, kind):
        raise Refused(404, "no_such_record", f"There is no {table} {id_!r}.")
    return found


def check_columns(store: Store, staff: str | None, room: str | None) -> None:
    for table, id_ in (("staff", staff), ("room", room)):
        if id_ is not None and store.get(table, id_) is None:
            raise Refused(422, "unknown", f"There is no {table} {id_!r}.")


def book(store: Store, action: Book) -> str:
    check_columns(store, action.staff, action.room)
    row = Appointment(id=store.new_id("appointment"), **_fields(action))
    store.put("appointment", row)
    return row.id


def move(store: Store, action: Move) -> str:
    changes = _given(action)
    check_columns(store, changes.get("staff"), changes.get("room"))
    store.put("appointment", replace(existing(store, "appointment", action.id, Appointment), **changes))
    return action.id


def set_status(store: Store, action: SetStatus) -> str:
    if action.status not in (*store.dialect.statuses.values(), *store.dialect.more_statuses):
        raise Refused(422, "unknown", f"{action.status!r} is no status here.")
    row = existing(store, "appointment", action.id, Appointment)
    store.put("appointment", replace(row, status=action.status))
    return action.id


def _status(ours: str) -> Callable[[Store, OneAppointment], str]:
    return lambda store, action: set_status(store, SetStatus(id=action.id, status=store.dialect.statuses[ours]))


def delete(store: Store, action: Delete) -> str:
    if store.get(action.table, action.id) is None:
        raise Refused(404, "no_such_record", f"There is no {action.table} {action.id!r}.")
    silent = store.dialect.deletion == "silent" if action.silent is None else action.silent
    store.remove(action.table, action.id, told=not silent)
    return action.id


def undelete(store: Store, action: Undelete) -> str:
    row = store.deleted.pop((action.table, action.id), None)
    if row is None:
        raise Refused(404, "no_such_record", f"There is no deleted {action.table} {action.id!r}.")
    store.put(action.table, row)
    return action.id


def block_off(store: Store, action: BlockOff) -> str:
    check_columns(store, action.staff, action.room)
    row = Block(id=store.new_id("block"), **_fields(action))
    store.put("block", row)
    return row.id


def create_client(store: Store, action: CreateClient) -> str:
    row = Client(id=store.new_id("client"), **_fields(action))
    store.put("client", row)
    return row.id


def edit_client(store: Store, action: EditClient) -> str:
    store.put("client", replace(existing(store, "client", action.id, Client), **_given(action)))
    return action.id


def merge_clients(store: Store, action: MergeClients) -> str:
    lost, kept = (existing(store, "client", id_, Client) for id_ in (action.id, action.into))
    if lost.id == kept.id:
        raise Refused(422, "same", "A client cannot be merged into itself.")
    phones = tuple(dict.fromkeys((*kept.phones, *lost.phones)))
    emails = tuple(dict.fromkeys((*kept.emails, *lost.emails)))
    store.put("client", replace(kept, phones=phones, emails=emails))
    for patient in store.rows("patient"):
        if isinstance(patient, Patient) and patient.client == lost.id:
            store.put("patient", replace(patient, client=kept.id))
    for appointment in store.rows("appointment"):
        if isinstance(appointment, Appointment) and appointment.client == lost.id:
            store.put("appointment", replace(appointment, client=kept.id))
    store.remove("client", lost.id, told=True, into=kept.id)
    return kept.id


def create_patient(store: Store, action: CreatePatient) -> str:
    existing(store, "client", action.client, Client)
    row = Patient(id=store.new_id("patient"), **_fields(action))
    store.put("patient", row)
    return row.id


def edit_patient(store: Store, action: EditPatient) -> str:
    store.put("patient", replace(existing(store, "patient", action.id, Patient), **_given(action)))
    return action.id


def _patient_status(status: str) -> Callable[[Store, OnePatient], str]:
    return lambda store, action: edit_patient(store, EditPatient(id=action.id, status=status))


def remove_provider(store: Store, action: RemoveProvider) -> str:
    row = existing(store, "staff", action.id, Staff)
    if action.hard:
        store.remove("staff", row.id, told=store.dialect.deletion == "told")
    else:
        store.put("staff", replace(row, active=False))
    return row.id


def close_day(store: Store, action: CloseDay) -> str:
    last = action.last or action.first
    row = Closure(id=store.new_id("closure"), name=action.name, first=action.first, last=last)
    store.put("closure", row)
    return row.id


def give_vaccine(store: Store, action: GiveVaccine) -> str:
    existing(store, "patient", action.patient, Patient)
    given = action.given or store.local_now.date()
    due = action.due or given + timedelta(days=365)
    row = Vaccine(id=store.new_id("vaccine"), patient=action.patient, name=action.name, given=given, due=due)
    store.put("vaccine", row)
    for reminder in store.rows("reminder"):
        if isinstance(reminder, Reminder) and (reminder.patient, reminder.name) == (action.patient, action.name):
            store.put("reminder", replace(reminder, done=True))
    remind(store, Remind(patient=action.patient, name=action.name, due=due))
    return row.id


def remind(store: Store, action: Remind) -> str:
    existing(store, "patient", action.patient, Patient)
    row = Reminder(id=store.new_id("reminder"), **_fields(action))
    store.put("reminder", row)
    return row.id


def finish_reminder(store: Store, action: FinishReminder) -> str:
    store.put("reminder", replace(existing(store, "reminder", action.id, Reminder), done=True))
    return action.id


def add_type(store: Store, action: AddType) -> str:
    row = Type(id=store.new_id("type"), name=action.name, minutes=action.minutes)
    store.put("type", row)
    return row.id


def edit_type(store: Store, action: EditType) -> str:
    store.put("type", replace(existing(store, "type", action.id, Type), **_given(action)))
    return action.id


def add_staff(store: Store, action: AddStaff) -> str:
    title = store.dialect.provider if action.title is None else action.title
    row = Staff(id=store.new_id("staff"), name=action.name, title=title)
    store.put("staff", row)
    return row.id


ACTIONS: dict[str, tuple[type[Action], Callable[[Store, Any], str]]] = {
    "book": (Book, book),
    "move": (Move, move),
    "set_status": (SetStatus, set_status),
    "confirm": (OneAppointment, _status("confirmed")),
    "arrive": (OneAppointment, _status("arrived")),
    "finish": (OneAppointment, _status("fulfilled")),
    "cancel": (OneAppointment, _status("cancelled")),
    "no_show": (OneAppointment, _status("no_show")),
    "delete": (Delete, delete),
    "undelete": (Undelete, undelete),
    "block_off": (BlockOff, block_off),
    "create_client": (CreateClient, create_client),
    "edit_client": (EditClient, edit_client),
    "merge_clients": (MergeClients, merge_clients),
    "create_patient": (CreatePatient, create_patient),
    "edit_patient": (EditPatient, edit_patient),
    "mark_deceased": (OnePatient, _patient_status("Deceased")),
    "mark_inactive": (OnePatient, _patient_status("Inactive")),
    "remove_provider": (RemoveProvider, remove_provider),
    "close_day": (CloseDay, close_day),
    "give_vaccine": (GiveVaccine, give_vaccine),
    "remind": (Remind, remind),
    "finish_reminder": (FinishReminder, finish_reminder),
    "add_type": (AddType, add_type),
    "edit_type": (EditType, edit_type),
    "add_staff": (AddStaff, add_staff),
}
"""Every action by its name in addresses: what it is told, and what it does."""


def _fields(action: Action) -> dict[str, Any]:
    return {name: getattr(action, name) for name in action.__struct_fields__}


def _given(action: Action) -> dict[str, Any]:
    """Return what an edit changes."""
    return {name: value for name, value in _fields(action).items() if name != "id" and value is not UNSET}
