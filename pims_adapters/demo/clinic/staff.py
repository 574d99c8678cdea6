"""What the practice's own people do at their screens: anything, double-booking included."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from pims_adapters.demo.clinic import interface
from pims_adapters.demo.clinic.interface import Move, NewAppointment, Refused, Word, Words
from pims_adapters.demo.clinic.records import KINDS, Block, Column, Patient, State, Weekly
from pims_adapters.demo.clinic.store import PREFIXES, Store

Rule = Annotated[
    str, Meta(pattern="^FREQ=WEEKLY(;INTERVAL=[1-9][0-9]?)?;BYDAY=(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*$")
]
"""The only recurrences this system knows."""


class NewState(Struct, kw_only=True, forbid_unknown_fields=True):
    """How an appointment stands."""

    state: State


class NewPatientState(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a patient is."""

    state: Literal["active", "inactive", "deceased"]


class NewBlock(Struct, kw_only=True, forbid_unknown_fields=True):
    """Time to be kept free; `starts` is the practice's wall-clock time."""

    column: Word
    starts: Annotated[datetime, Meta(tz=False)]
    minutes: Annotated[int, Meta(gt=0, le=1440)]
    rrule: Rule | None = None
    reason: Words = ""


def create_appointment(store: Store, draft: NewAppointment) -> str:
    with store.transaction():
        interface.check_appointment(store, draft)
        record = interface.new_appointment(store, draft, from_outside=False)
        store.put(record)
    return record.id


def move_appointment(store: Store, id_: str, move: Move) -> str:
    with store.transaction():
        store.put(interface.moved_appointment(interface.appointment(store, id_), move))
    return id_


def set_appointment_state(store: Store, id_: str, new: NewState) -> str:
    with store.transaction():
        store.put(replace(interface.appointment(store, id_), state=new.state))
    return id_


def set_patient_state(store: Store, id_: str, new: NewPatientState) -> str:
    with store.transaction():
        patient = store.get(Patient, id_)
        if patient is None:
            raise Refused(404, "no_such_record", f"There is no patient {id_!r}.")
        store.put(replace(patient, state=new.state))
    return id_


def create_block(store: Store, new: NewBlock) -> str:
    with store.transaction():
        if store.get(Column, new.column) is None:
            raise Refused(422, "unknown", f"There is no column {new.column!r}.")
        time = Weekly(starts=new.starts, minutes=new.minutes, rrule=new.rrule)
        block = Block(id=store.new_id("blocks"), column=new.column, time=time, reason=new.reason)
        store.put(block)
    return block.id


def delete(store: Store, kind: str, id_: str) -> str:
    """Remove a record, as staff remove a mistaken entry; the change log keeps a tombstone."""
    with store.transaction():
        if kind not in PREFIXES or store.get(KINDS[kind], id_) is None:
            raise Refused(404, "no_such_record", f"There is no {id_!r} that could be deleted among the {kind}.")
        store.delete(kind, id_)
    return id_
