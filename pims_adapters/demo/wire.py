"""The demo PIMS's JSON, and how it reads in the contract's words.

Only what vetslot needs is named; unknown fields are let pass, as a vendor may add some any day, unknown values are not.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pims_adapters import contract

Instant = Annotated[datetime, Meta(tz=True)]
Local = Annotated[datetime, Meta(tz=False)]


class Wire(Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Any record."""

    id: str


class Weekly(Struct, frozen=True, kw_only=True):
    starts: Local
    minutes: int
    rrule: str | None = None
    except_dates: list[date] = []

    def read(self) -> contract.RecurringTime:
        return contract.RecurringTime(
            starts=self.starts,
            duration=timedelta(minutes=self.minutes),
            rrule=self.rrule,
            exdates=tuple(self.except_dates),
        )


class Opening(Struct, frozen=True, kw_only=True):
    opens: str
    closes: str


class SpecialDay(Struct, frozen=True, kw_only=True):
    date: date
    hours: list[Opening] = []

    def read(self) -> contract.DayOverride:
        hours = tuple(contract.OpenHours(opens=span.opens, closes=span.closes) for span in self.hours)
        return contract.DayOverride(date=self.date, hours=hours)


class Practice(Wire, frozen=True, kw_only=True):
    name: str
    timezone: str
    door_hours: list[Weekly]

    def read(self) -> contract.Practice:
        hours = tuple(weekly.read() for weekly in self.door_hours)
        return contract.Practice(pims_id=self.id, name=self.name, timezone=self.timezone, hours=hours)


class Column(Wire, frozen=True, kw_only=True):
    label: str
    category: Literal["doctor", "technician", "room", "equipment"]
    hours: list[Weekly] | None = None
    special_days: list[SpecialDay] = []

    def read(self) -> contract.Resource:
        return contract.Resource(
            pims_id=self.id,
            name=self.label,
            resource_kind="provider" if self.category == "doctor" else self.category,
            hours=None if self.hours is None else tuple(weekly.read() for weekly in self.hours),
            overrides=tuple(day.read() for day in self.special_days),
        )


class Holiday(Wire, frozen=True, kw_only=True):
    name: str
    first_day: date
    last_day: date

    def read(self) -> contract.Closure:
        return contract.Closure(pims_id=self.id, name=self.name, first=self.first_day, last=self.last_day)


class Block(Wire, frozen=True, kw_only=True):
    column: str
    time: Weekly
    reason: str = ""

    def read(self) -> contract.BlockOff:
        return contract.BlockOff(pims_id=self.id, resource=self.column, time=self.time.read(), reason=self.reason)


class VisitType(Wire, frozen=True, kw_only=True):
    name: str
    minutes: int

    def read(self) -> contract.AppointmentType:
        return contract.AppointmentType(pims_id=self.id, name=self.name, duration=timedelta(minutes=self.minutes))


class Client(Wire, frozen=True, kw_only=True):
    first_name: str
    last_name: str
    phones: list[str] = []
    emails: list[str] = []
    inactive: bool = False
    external_key: str | None = None

    def read(self) -> contract.Client:
        return contract.Client(
            pims_id=self.id,
            given_name=self.first_name,
            family_name=self.last_name,
            phones=tuple(self.phones),
            emails=tuple(self.emails),
            active=not self.inactive,
            marker=self.external_key,
        )


class Patient(Wire, frozen=True, kw_only=True):
    client_id: str
    name: str
    species: str
    breed: str = ""
    sex: str = ""
    born: date | None = None
    state: Literal["active", "inactive", "deceased"] = "active"
    external_key: str | None = None

    def read(self) -> contract.Patient:
        return contract.Patient(
            pims_id=self.id,
            client=self.client_id,
            name=self.name,
            species=SPECIES.get(self.species, self.species),
            breed=self.breed,
            sex=SEXES.get(self.sex, self.sex),
            birth_date=self.born,
            status=self.state,
            marker=self.external_key,
        )


class Appointment(Wire, frozen=True, kw_only=True):
    start: Instant
    end: Instant
    columns: list[str]
    state: Literal["scheduled", "confirmed", "checked_in", "completed", "cancelled", "no_show"] = "scheduled"
    type_id: str | None = None
    client_id: str | None = None
    patient_id: str | None = None
    note: str = ""
    external_key: str | None = None

    def read(self) -> contract.Appointment:
        return contract.Appointment(
            pims_id=self.id,
            start=self.start,
            end=self.end,
            resources=tuple(self.columns),
            status=STATUSES[self.state],
            appointment_type=self.type_id,
            client=self.client_id,
            patient=self.patient_id,
            description=self.note,
            marker=self.external_key,
        )


class Deleted(Wire, frozen=True, kw_only=True):
    what: Literal["column", "holiday", "block", "visittype", "client", "patient", "appointment"]

    def read(self) -> contract.Gone:
        return contract.Gone(of=GONE[self.what], pims_id=self.id)


AnyRecord = Practice | Column | Holiday | Block | VisitType | Client | Patient | Appointment | Deleted


OURS: dict[contract.Kind, type[Client | Patient | Appointment]] = {
    "client": Client,
    "patient": Patient,
    "appointment": Appointment,
}
"""What vetslot writes, by its kind."""


class ChangePage(Struct, frozen=True, kw_only=True):
    changes: list[AnyRecord]
    cursor: str
    more: bool
    as_of: Instant

    def read(self) -> contract.ChangePage:
        changes: list[contract.Change] = [change.read() for change in self.changes]
        return contract.ChangePage(changes=changes, cursor=self.cursor, more=self.more, as_of=self.as_of)


class Found(Struct, frozen=True, kw_only=True):
    """The answer to a question for records."""

    items: list[Client | Patient | Appointment]


class Created(Struct, frozen=True, kw_only=True):
    """The answer to a creation."""

    id: str


def new_client(draft: contract.ClientDraft, key: str) -> dict[str, object]:
    return {
        "first_name": draft.given_name,
        "last_name": draft.family_name,
        "phones": [draft.phone] if draft.phone else [],
        "emails": [draft.email] if draft.email else [],
        "external_key": key,
    }


def new_patient(draft: contract.PatientDraft, key: str) -> dict[str, object]:
    return {
        "client_id": draft.client,
        "name": draft.name,
        "species": _reversed(SPECIES).get(draft.species, draft.species),
        "breed": draft.breed,
        "sex": _reversed(SEXES).get(draft.sex, draft.sex),
        "born": draft.birth_date,
        "external_key": key,
    }


def new_appointment(draft: contract.AppointmentDraft, key: str) -> dict[str, object]:
    return {
        "client_id": draft.client,
        "patient_id": draft.patient,
        "type_id": draft.appointment_type,
        "start": draft.start,
        "end": draft.end,
        "columns": draft.resources,
        "note": draft.description,
        "external_key": key,
    }


def changed_appointment(draft: contract.AppointmentDraft) -> dict[str, object]:
    return {"start": draft.start, "end": draft.end, "columns": draft.resources}


SPECIES = {"Canine": "dog", "Feline": "cat", "Rabbit": "rabbit", "Avian": "bird", "Reptile": "reptile"}
SEXES = {"M": "male", "MN": "male_neutered", "F": "female", "FS": "female_spayed"}
STATUSES: dict[str, Literal["booked", "confirmed", "arrived", "fulfilled", "cancelled", "no_show"]] = {
    "scheduled": "booked",
    "confirmed": "confirmed",
    "checked_in": "arrived",
    "completed": "fulfilled",
    "cancelled": "cancelled",
    "no_show": "no_show",
}
GONE: dict[str, Literal["resource", "closure", "blockoff", "appointmenttype", "client", "patient", "appointment"]] = {
    "column": "resource",
    "holiday": "closure",
    "block": "blockoff",
    "visittype": "appointmenttype",
    "client": "client",
    "patient": "patient",
    "appointment": "appointment",
}


def _reversed(words: dict[str, str]) -> dict[str, str]:
    return {ours: theirs for theirs, ours in words.items()}
