"""EzyVet's JSON: what it sends, with only what vetslot needs named.

v1 sends numbers and truths as text (`"7"`, `"1"`, `""` for none), v2 sends them as they are; both are read alike.
Unknown fields are let pass, as the vendor may add some any day.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

Loose = str | int | float | bool | None


class Meta(Struct, frozen=True):
    """How many rows there are, and on how many pages; text in v1."""

    items_total: int = 0
    items_page_total: int = 0


class Listed(Struct, frozen=True):
    """A page of rows, each wrapped under the name of its kind."""

    items: list[dict[str, msgspec.Raw]]
    meta: Meta = Meta()


class Row(Struct, frozen=True, kw_only=True):
    """What every row has."""

    id: int
    uid: str = ""
    active: Loose = True
    modified_at: Loose = None
    looks: str = ""
    """A digest of the row as it came."""

    @property
    def pims_id(self) -> str:
        return str(self.id)

    @property
    def is_active(self) -> bool:
        return truth(self.active)

    @property
    def modified(self) -> int:
        return number(self.modified_at) or 0


class Named(Row, frozen=True, kw_only=True):
    """A row of a look-up: a species, a breed, a sex, a status, a kind of contact detail."""

    name: str = ""
    species_id: Loose = None


class AppointmentType(Row, frozen=True, kw_only=True):
    name: str = ""
    default_duration: Loose = None


class Resource(Row, frozen=True, kw_only=True):
    name: str = ""
    access: str = ""
    ownership_id: Loose = None


class Contact(Row, frozen=True, kw_only=True):
    first_name: str | None = ""
    last_name: str | None = ""
    business_name: str | None = ""
    is_customer: Loose = None
    stop_credit: str | None = ""


class ContactDetail(Row, frozen=True, kw_only=True):
    contact_id: int
    contact_detail_type_id: Loose = None
    name: str | None = ""
    value: str | None = ""
    preferred: Loose = None


class Animal(Row, frozen=True, kw_only=True):
    contact_id: Loose = None
    name: str | None = ""
    species_id: Loose = None
    breed_id: Loose = None
    sex_id: Loose = None
    date_of_birth: Loose = None
    is_dead: Loose = None
    date_of_death: Loose = None
    notes: str | None = ""


class Used(Struct, frozen=True):
    """A resource that an appointment uses."""

    id: Loose = None


class Appointment(Row, frozen=True, kw_only=True):
    """An entry of the calendar; `duration` is in minutes."""

    start_at: int
    duration: int
    type_id: Loose = None
    status_id: Loose = None
    description: str | None = ""
    animal_id: Loose = None
    contact_id: Loose = None
    resources: list[Used | int | str] = []


class Booked(Struct, frozen=True):
    """The answer to a booking: the uid of the request and that of the appointment."""

    id: str
    appointment: str


def number(value: Loose) -> int | None:
    """Read a number that may be text; what is none (`""`, `null`, `"0"` for an id that is not set) is None."""
    try:
        found = int(float(value)) if value not in (None, "") else 0
    except (ValueError, OverflowError):
        return None
    return found or None


def identifier(value: Loose) -> str | None:
    found = number(value)
    return None if found is None else str(found)


def truth(value: Loose) -> bool:
    """Read a truth that may be text; a word that is neither is taken for true."""
    return str(value).casefold() not in {"", "0", "false", "none", "no"}


def instant(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def epoch(at: datetime) -> int:
    return int(at.timestamp())
