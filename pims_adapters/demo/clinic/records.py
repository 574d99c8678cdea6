"""What the demo PIMS keeps and shows, in its own words; each record travels as JSON with its `kind` beside its fields.

Recurring times are the practice's wall-clock times, appointments are instants in UTC.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from msgspec import Struct

State = Literal["scheduled", "confirmed", "checked_in", "completed", "cancelled", "no_show"]
FREE_STATES = ("cancelled", "no_show")
"""An appointment in one of these states takes no time."""


class Weekly(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wall-clock time, once or by an RFC 5545 rule (weekly, without end), except on some dates."""

    starts: datetime
    minutes: int
    rrule: str | None = None
    except_dates: list[date] = []


class Opening(Struct, frozen=True, kw_only=True):
    """From one wall-clock time to another, `HH:MM`."""

    opens: str
    closes: str


class SpecialDay(Struct, frozen=True, kw_only=True):
    """A date with hours of its own; none of them is a day off."""

    date: date
    hours: list[Opening] = []


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=str.lower):
    """Anything with an id."""

    id: str


class Practice(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The practice and the hours its doors are open."""

    name: str
    timezone: str
    door_hours: list[Weekly]


class Column(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A column of the schedule. Without `hours` it is open whenever the doors are."""

    label: str
    category: Literal["doctor", "technician", "room", "equipment"]
    hours: list[Weekly] | None = None
    special_days: list[SpecialDay] = []


class Holiday(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Dates, both ends included, on which the practice stays closed."""

    name: str
    first_day: date
    last_day: date


class Block(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Time of one column that staff keep free."""

    column: str
    time: Weekly
    reason: str = ""


class VisitType(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A kind of appointment."""

    name: str
    minutes: int


class Client(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A person. Phones and emails stand as staff typed them."""

    first_name: str
    last_name: str
    phones: list[str] = []
    emails: list[str] = []
    inactive: bool = False
    external_key: str | None = None


class Patient(Record, frozen=True, kw_only=True, omit_defaults=True):
    """An animal."""

    client_id: str
    name: str
    species: str
    breed: str = ""
    sex: str = ""
    born: date | None = None
    state: Literal["active", "inactive", "deceased"] = "active"
    external_key: str | None = None


class Appointment(Record, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the schedule; it takes all its columns from `start` to `end`."""

    start: datetime
    end: datetime
    columns: list[str]
    state: State = "scheduled"
    type_id: str | None = None
    client_id: str | None = None
    patient_id: str | None = None
    note: str = ""
    from_outside: bool = False
    external_key: str | None = None


class Deleted(Struct, frozen=True, kw_only=True, tag_field="kind", tag="deleted"):
    """What the change log says of a record that is no more."""

    what: str
    id: str


AnyRecord = Practice | Column | Holiday | Block | VisitType | Client | Patient | Appointment

KINDS: dict[str, type[AnyRecord]] = {
    "practice": Practice,
    "columns": Column,
    "holidays": Holiday,
    "blocks": Block,
    "types": VisitType,
    "clients": Client,
    "patients": Patient,
    "appointments": Appointment,
}
"""Each kind by its name in addresses."""


def length(time: Weekly) -> timedelta:
    return timedelta(minutes=time.minutes)
