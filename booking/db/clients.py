"""Clients, how they can be reached, and their patients."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.contacts import Contact
from booking.db.pool import Connection, many, one

PatientStatus = Literal["active", "inactive", "deceased"]


class Client(Struct, frozen=True, kw_only=True):
    """A person who books. `pims_id` None: not written to the PIMS yet."""

    client_id: UUID
    pims_id: str | None
    given_name: str
    family_name: str


CLIENTS_BY_CONTACT = """
SELECT c.client_id, c.pims_id, c.given_name, c.family_name
FROM client_contact k JOIN client c ON c.practice_id = k.practice_id AND c.client_id = k.client_id
WHERE k.practice_id = $1 AND k.kind = $2 AND k.value = $3 AND c.active
ORDER BY c.given_name, c.family_name, c.client_id LIMIT 20
"""


async def clients_by_contact(conn: Connection, practice_id: UUID, contact: Contact) -> list[Client]:
    """Return the active clients that a contact reaches: a household may share a phone. For proven contacts only."""
    return many(await conn.fetch(CLIENTS_BY_CONTACT, practice_id, contact.kind, contact.value), Client)


CLIENT = "SELECT client_id, pims_id, given_name, family_name FROM client WHERE practice_id = $1 AND client_id = $2"


async def client_by_id(conn: Connection, practice_id: UUID, client_id: UUID) -> Client | None:
    """Find one client."""
    return one(await conn.fetchrow(CLIENT, practice_id, client_id), Client)


CONTACTS = """
SELECT kind, value FROM client_contact WHERE practice_id = $1 AND client_id = $2 ORDER BY kind DESC, value
"""


async def contacts_of(conn: Connection, practice_id: UUID, client_id: UUID) -> list[Contact]:
    """Return how a client can be reached, phones first."""
    return many(await conn.fetch(CONTACTS, practice_id, client_id), Contact)


class Where(Struct, frozen=True, kw_only=True):
    """Where a client lives, as far as they were asked for it."""

    address: str = ""
    city: str = ""
    postal_code: str = ""


NOWHERE = Where()

INSERT_CLIENT = """
INSERT INTO client (practice_id, client_id, given_name, family_name, created_at, address, city, postal_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_client(
    conn: Connection,
    practice_id: UUID,
    client_id: UUID,
    given_name: str,
    family_name: str,
    now: datetime,
    where: Where = NOWHERE,
) -> None:
    """Add a client that the PIMS does not know yet."""
    await conn.execute(
        INSERT_CLIENT,
        practice_id,
        client_id,
        given_name,
        family_name,
        now,
        where.address,
        where.city,
        where.postal_code,
    )


ADDRESS = "SELECT address, city, postal_code FROM client WHERE practice_id = $1 AND client_id = $2"


async def address_of(conn: Connection, practice_id: UUID, client_id: UUID) -> Where:
    """Return where a client of ours lives, as far as they were asked."""
    return one(await conn.fetchrow(ADDRESS, practice_id, client_id), Where) or NOWHERE


INSERT_CONTACT = """
INSERT INTO client_contact (practice_id, client_id, kind, value, as_typed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (practice_id, client_id, kind, value) DO NOTHING
"""


async def insert_contacts(conn: Connection, practice_id: UUID, contacts: list[tuple[UUID, Contact, str]]) -> None:
    """Add ways to reach clients: whom, how, and as it was typed."""
    await conn.executemany(
        INSERT_CONTACT,
        [(practice_id, client_id, contact.kind, contact.value, typed) for client_id, contact, typed in contacts],
    )


class Patient(Struct, frozen=True, kw_only=True):
    """An animal of a client."""

    patient_id: UUID
    client_id: UUID
    pims_id: str | None
    name: str
    species: str
    breed: str
    sex: str
    birth_date: date | None
    status: PatientStatus


PATIENTS = """
SELECT patient_id, client_id, pims_id, name, species, breed, sex, birth_date, status
FROM patient WHERE practice_id = $1 AND client_id = ANY($2::uuid[]) ORDER BY name, patient_id LIMIT 200
"""


async def patients_of(conn: Connection, practice_id: UUID, client_ids: list[UUID]) -> list[Patient]:
    """Return the patients of some clients, whatever their status."""
    return many(await conn.fetch(PATIENTS, practice_id, client_ids), Patient)


PATIENT = """
SELECT patient_id, client_id, pims_id, name, species, breed, sex, birth_date, status
FROM patient WHERE practice_id = $1 AND patient_id = $2
"""


async def patient_by_id(conn: Connection, practice_id: UUID, patient_id: UUID) -> Patient | None:
    """Find one patient."""
    return one(await conn.fetchrow(PATIENT, practice_id, patient_id), Patient)


PATIENTS_BY_ID = """
SELECT patient_id, client_id, pims_id, name, species, breed, sex, birth_date, status
FROM patient WHERE practice_id = $1 AND patient_id = ANY($2::uuid[]) ORDER BY patient_id LIMIT 200
"""


async def patients_by_id(conn: Connection, practice_id: UUID, patient_ids: list[UUID]) -> dict[UUID, Patient]:
    """Return those of some patients that there are."""
    found = many(await conn.fetch(PATIENTS_BY_ID, practice_id, patient_ids), Patient)
    return {one.patient_id: one for one in found}


INSERT_PATIENT = """
INSERT INTO patient (practice_id, patient_id, client_id, name, species, breed, sex, birth_date)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_patients(conn: Connection, practice_id: UUID, patients: list[Patient]) -> None:
    """Add patients that the PIMS does not know yet."""
    await conn.executemany(
        INSERT_PATIENT,
        [
            (practice_id, one.patient_id, one.client_id, one.name, one.species, one.breed, one.sex, one.birth_date)
            for one in patients
        ],
    )
