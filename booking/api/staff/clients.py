"""The practice's clients, for its staff.

What is looked for is personal, so it comes in a body: addresses end up in logs.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import ThePool
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.contacts import ContactUnreadableError, read_contact
from booking.db import clients, known_clients
from booking.db.appointments import Status
from booking.db.clients import PatientStatus
from booking.db.pool import of_practice

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)


class Search(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A part of a name, or a whole phone number or email address."""

    query: Annotated[str, Meta(min_length=2, max_length=200)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Found(Struct, frozen=True, kw_only=True, rename="camel"):
    """A client in a list."""

    id: UUID
    given_name: str
    family_name: str
    active: bool


class FoundClients(Struct, frozen=True, kw_only=True, rename="camel"):
    """The clients found, the active ones first."""

    items: list[Found]


class ContactShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A way to reach a client."""

    kind: str
    value: str


class PatientShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A patient of a client."""

    id: UUID
    name: str
    species: str
    breed: str
    sex: str
    birth_date: date | None
    status: PatientStatus


class AppointmentShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """An appointment of a client."""

    id: UUID
    reference: str | None
    status: Status
    start: datetime
    end: datetime
    appointment_type: str | None
    patient: str | None


class ClientShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A client with all that belongs to them: at most 200 patients and the latest 100 appointments."""

    id: UUID
    given_name: str
    family_name: str
    contacts: list[ContactShown]
    patients: list[PatientShown]
    appointments: list[AppointmentShown]


@post("/clients/search", guards=[Needs("clients:read")], status_code=200, responses=declared(*REFUSED))
async def search_clients(who: TheStaff, pool: ThePool, data: JSONBody[Search]) -> FoundClients:
    """Find clients by a part of their name, or by a phone number or email address."""
    practice = who.practice
    words = " ".join(data.query.replace("\0", "").split())
    async with of_practice(pool, practice.practice_id) as conn:
        try:
            contact = read_contact(words, practice.region)
        except ContactUnreadableError:
            found = await known_clients.clients_by_name(conn, practice.practice_id, words, data.limit)
        else:
            found = await known_clients.clients_reached_by(
                conn, practice.practice_id, contact.kind, contact.value, data.limit
            )
    return FoundClients(
        items=[
            Found(id=one.client_id, given_name=one.given_name, family_name=one.family_name, active=one.active)
            for one in found
        ]
    )


@get("/clients/{client_id:uuid}", guards=[Needs("clients:read")], responses=declared(*REFUSED, NotFound))
async def read_client(who: TheStaff, pool: ThePool, client_id: FromPath[UUID]) -> ClientShown:
    """Read a client: how to reach them, their patients and appointments."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        found = await clients.client_by_id(conn, practice_id, client_id)
        if found is None:
            raise NotFound(NotFound.__doc__)
        contacts = await clients.contacts_of(conn, practice_id, client_id)
        patients = await clients.patients_of(conn, practice_id, [client_id])
        visits = await known_clients.appointments_of(conn, practice_id, client_id)
    return ClientShown(
        id=found.client_id,
        given_name=found.given_name,
        family_name=found.family_name,
        contacts=[ContactShown(kind=one.kind, value=one.value) for one in contacts],
        patients=[
            PatientShown(
                id=one.patient_id,
                name=one.name,
                species=one.species,
                breed=one.breed,
                sex=one.sex,
                birth_date=one.birth_date,
                status=one.status,
            )
            for one in patients
        ],
        appointments=[
            AppointmentShown(
                id=one.appointment_id,
                reference=one.reference,
                status=one.status,
                start=one.starts_at,
                end=one.ends_at,
                appointment_type=one.appointment_type,
                patient=one.patient,
            )
            for one in visits
        ],
    )


router = Router("/", route_handlers=[search_clients, read_client])
