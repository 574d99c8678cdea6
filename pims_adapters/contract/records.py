"""What a PIMS holds, in words that all of them share."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from msgspec import Struct, field

Kind = Literal["client", "patient", "appointment"]
"""What we create. Everything else is only read."""

RecordKind = Literal[
    "practice",
    "resource",
    "closure",
    "blockoff",
    "appointmenttype",
    "planningrule",
    "client",
    "patient",
    "appointment",
    "vaccination",
    "reminder",
]
"""What a PIMS holds: the tags of the records below."""

Status = Literal["booked", "confirmed", "arrived", "fulfilled", "cancelled", "no_show"]


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=str.lower):
    """One thing the PIMS holds, as it stands there now."""


class RecurringTime(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Local wall-clock time, once or by an RFC 5545 `rrule`; the engine's `Recurring` in the same words."""

    starts: datetime
    duration: timedelta
    rrule: str | None = None
    exdates: tuple[date, ...] = ()


class DayOverride(Struct, frozen=True, kw_only=True):
    """A local date whose hours replace the recurring ones; an empty list is a day off."""

    date: date
    hours: tuple[OpenHours, ...] = ()


class OpenHours(Struct, frozen=True, kw_only=True):
    """From one local time to another (`HH:MM`, `24:00` is midnight)."""

    opens: str = field(name="from")
    closes: str = field(name="to")


class Practice(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The practice itself: its zone and the hours its doors are open."""

    pims_id: str
    name: str
    timezone: str
    hours: tuple[RecurringTime, ...] = ()


class Resource(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A column of the PIMS's schedule: a person, a room, a machine."""

    pims_id: str
    name: str
    resource_kind: Literal["provider", "technician", "room", "equipment"]
    person: str | None = None
    capacity: int = 1
    hours: tuple[RecurringTime, ...] | None = None
    overrides: tuple[DayOverride, ...] = ()


class Closure(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Local dates, both ends included, on which the practice is closed."""

    pims_id: str
    name: str
    first: date
    last: date


class BlockOff(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Time of one resource closed by the practice."""

    pims_id: str
    resource: str
    time: RecurringTime
    reason: str = ""


class AppointmentType(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What the PIMS can put on its schedule; what of it may be booked online is the practice's choice with us."""

    pims_id: str
    name: str
    duration: timedelta


class PlanningRule(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A template or planning guide of the PIMS: when which types may use which resources.

    `deny`: in these times the named types cannot use the named resources; `reserve`: the resources take these types
    only. Left-out lists mean all. Types and resources are the PIMS's identifiers.
    """

    pims_id: str
    name: str
    effect: Literal["deny", "reserve"]
    when: tuple[RecurringTime, ...]
    appointment_types: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None


class Client(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A person the PIMS knows. Phones and emails are as typed there; `marker` is our key where we wrote the record."""

    pims_id: str
    given_name: str
    family_name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    active: bool = True
    marker: str | None = None


class Patient(Record, frozen=True, kw_only=True, omit_defaults=True):
    """An animal, with the client it belongs to.

    `species` is `dog`, `cat`, `rabbit`, `bird` or `reptile`, and `sex` is `male`, `male_neutered`, `female` or
    `female_spayed`, where the PIMS's word means one of them; else it is the PIMS's word. Drafts are put back likewise.
    """

    pims_id: str
    client: str
    name: str
    species: str
    breed: str = ""
    sex: str = ""
    birth_date: date | None = None
    status: Literal["active", "inactive", "deceased"] = "active"
    marker: str | None = None


class Appointment(Record, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the PIMS's schedule: `resources` are busy for the whole span unless `status` frees them."""

    pims_id: str
    start: datetime
    end: datetime
    resources: tuple[str, ...]
    status: Status = "booked"
    appointment_type: str | None = None
    client: str | None = None
    patient: str | None = None
    description: str = ""
    marker: str | None = None


class Vaccination(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A vaccine that a patient was given, for the patient's ID card."""

    pims_id: str
    patient: str
    name: str
    given: date
    due: date | None = None


class Reminder(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a patient is due for. `appointment_type`: what would be booked for it, where the PIMS says so."""

    pims_id: str
    patient: str
    name: str
    due: date
    done: bool = False
    appointment_type: str | None = None


class Merged(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The PIMS joined one record into another: what belonged to `pims_id` now belongs to `into`."""

    of: Literal["client", "patient"]
    pims_id: str
    into: str


class Gone(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The PIMS says that a record is no more."""

    of: RecordKind
    pims_id: str


Change = (
    Practice
    | Resource
    | Closure
    | BlockOff
    | AppointmentType
    | PlanningRule
    | Client
    | Patient
    | Appointment
    | Vaccination
    | Reminder
    | Merged
    | Gone
)
