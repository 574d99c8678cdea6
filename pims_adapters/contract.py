"""What booking may ask of a practice information management system (PIMS), and what it gets back.

One folder beside this file per PIMS, found by its name; each offers `connect(settings) -> PimsAdapter`. Records carry
the PIMS's own identifiers as text (`pims_id`); wall-clock times are the practice's, instants are aware. A vendor's
exceptions stop at the folder's edge: whatever goes wrong arrives as one of the four errors below.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct, field

Kind = Literal["client", "patient", "appointment"]
"""What we write. Everything else is only read."""


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
    status: Literal["booked", "confirmed", "arrived", "fulfilled", "cancelled", "no_show"] = "booked"
    appointment_type: str | None = None
    client: str | None = None
    patient: str | None = None
    description: str = ""
    marker: str | None = None


class Gone(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The PIMS says that a record is no more."""

    of: Literal["resource", "closure", "blockoff", "appointmenttype", "client", "patient", "appointment"]
    pims_id: str


Change = Practice | Resource | Closure | BlockOff | AppointmentType | Client | Patient | Appointment | Gone


class ChangePage(Struct, frozen=True, kw_only=True):
    """Changes since a cursor, oldest first, at most some hundreds. `as_of`: the page shows the PIMS at that instant."""

    changes: list[Change]
    cursor: str
    more: bool
    as_of: datetime


class ClientDraft(Struct, frozen=True, kw_only=True):
    """A new client to be created."""

    given_name: str
    family_name: str
    phone: str | None = None
    email: str | None = None


class PatientDraft(Struct, frozen=True, kw_only=True):
    """A new patient of a client that stands in the PIMS."""

    client: str
    name: str
    species: str
    breed: str = ""
    sex: str = ""
    birth_date: date | None = None


class AppointmentDraft(Struct, frozen=True, kw_only=True):
    """An appointment to be created, for a client and a patient that stand in the PIMS."""

    client: str
    patient: str
    appointment_type: str
    start: datetime
    end: datetime
    resources: tuple[str, ...]
    description: str


class PimsError(Exception):
    """The PIMS could not do what was asked."""


class PimsUnavailable(PimsError):
    """The PIMS did not answer, answered that it cannot now, or answered what cannot be read. Try again later.

    `outcome_unknown`: a write had left when its answer failed to come, so it may have happened. Never set by a read.
    """

    def __init__(self, reason: str, *, outcome_unknown: bool) -> None:
        super().__init__(reason)
        self.outcome_unknown = outcome_unknown


class PimsRejected(PimsError):
    """The PIMS understood and refused; sending the same again would be refused again.

    `taken`: it refused because the time is no longer free there, so another time or resource may do.
    """

    def __init__(self, reason: str, *, taken: bool = False) -> None:
        super().__init__(reason)
        self.taken = taken


class PimsMisconfigured(PimsError):
    """Address or credentials are wrong; a person has to mend the connection."""


class CursorExpired(PimsError):
    """The PIMS no longer knows the cursor: start from the beginning."""


class PimsAdapter(Protocol):
    """One connection to one practice's PIMS. Every call has a time-out of its own and raises only `PimsError`s."""

    async def check(self) -> Practice:
        """Prove that address and credentials work."""

    async def changes(self, cursor: str | None) -> ChangePage:
        """Return what changed since the cursor; None begins at the beginning."""

    async def create_client(self, draft: ClientDraft, key: str) -> str:
        """Create a client that carries our key where `find` can see it; its pims_id."""

    async def create_patient(self, draft: PatientDraft, key: str) -> str:
        """Create a patient that carries our key; its pims_id."""

    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        """Create an appointment that carries our key; its pims_id."""

    async def find(self, kind: Kind, key: str) -> str | None:
        """Look in the PIMS, not in a copy of it, for the record that carries our key; its pims_id."""

    async def read(self, kind: Kind, pims_id: str) -> Client | Patient | Appointment | None:
        """Read one record back as it stands in the PIMS now."""

    async def close(self) -> None:
        """Let go of connections."""


# What not every PIMS allows. An adapter says that its PIMS does by having the method: `isinstance` asks for it. Each
# call says how the appointment is to stand, so that sending it twice does no more than sending it once; `key` is ours
# for this one change, for a PIMS that keeps such keys. The caller reads back.


@runtime_checkable
class ChangesAppointments(Protocol):
    """The PIMS lets an appointment be moved: to another time, other resources, or both."""

    async def change_appointment(self, pims_id: str, draft: AppointmentDraft, key: str) -> None:
        """Let the appointment stand as the draft says. `PimsRejected.taken` where that time is not free there."""


@runtime_checkable
class CancelsAppointments(Protocol):
    """The PIMS lets an appointment be cancelled."""

    async def cancel_appointment(self, pims_id: str, key: str) -> None:
        """Cancel the appointment; one that is cancelled stays so."""


@runtime_checkable
class ConfirmsAppointments(Protocol):
    """The PIMS can be told that the client will come."""

    async def confirm_appointment(self, pims_id: str, key: str) -> None:
        """Mark the appointment confirmed; one that is confirmed stays so."""
