"""Linking: which record of ours a record of the PIMS is, where there may be two of ours; and whom we know already."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.contacts import Contact
from booking.db.appointments import Source
from booking.db.pool import Connection, many, one
from pims_adapters.contract import Kind


class Known(Struct, frozen=True, kw_only=True):
    """A client or patient by their name. `pims_id` None: they come into the PIMS with an earlier booking."""

    id: UUID
    pims_id: str | None
    name: str


# Those of whom the PIMS knows, and those who are on their way there with a booking made before this one.
CLIENTS_LIKE = """
SELECT DISTINCT c.client_id AS id, c.pims_id, c.given_name || ' ' || c.family_name AS name
FROM client_contact k JOIN client c ON c.practice_id = k.practice_id AND c.client_id = k.client_id
WHERE k.practice_id = $1 AND c.client_id <> $2 AND c.active
  AND (k.kind, k.value) IN (SELECT kind, value FROM unnest($3::text[], $4::text[]) AS given (kind, value))
  AND (c.pims_id IS NOT NULL OR EXISTS (SELECT FROM write_back w
    WHERE w.practice_id = $1 AND w.subject_id = c.client_id AND w.action = 'create' AND w.position < $5
      AND w.state IN ('queued', 'sending', 'unknown')))
LIMIT 50
"""


async def clients_reached_by(
    conn: Connection, practice_id: UUID, client_id: UUID, contacts: list[Contact], *, before: int
) -> list[Known]:
    """Return the other active clients whom any of these contacts reaches."""
    kinds, values = [one.kind for one in contacts], [one.value for one in contacts]
    return many(await conn.fetch(CLIENTS_LIKE, practice_id, client_id, kinds, values, before), Known)


PATIENTS_LIKE = """
SELECT p.patient_id AS id, p.pims_id, p.name
FROM patient mine JOIN patient p ON p.practice_id = mine.practice_id AND p.client_id = mine.client_id
  AND p.patient_id <> mine.patient_id AND p.species = mine.species
WHERE mine.practice_id = $1 AND mine.patient_id = $2 AND p.status = 'active'
  AND (p.pims_id IS NOT NULL OR EXISTS (SELECT FROM write_back w
    WHERE w.practice_id = $1 AND w.subject_id = p.patient_id AND w.action = 'create' AND w.position < $3
      AND w.state IN ('queued', 'sending', 'unknown')))
LIMIT 200
"""


async def patients_like(conn: Connection, practice_id: UUID, patient_id: UUID, *, before: int) -> list[Known]:
    """Return the other active patients of the same client and species."""
    return many(await conn.fetch(PATIENTS_LIKE, practice_id, patient_id, before), Known)


class BookedBy(Struct, frozen=True, kw_only=True):
    """How an appointment was booked. `contact`: the one that was proven for it, or that staff tell."""

    source: Source
    contact: Contact | None


BOOKED_BY = "SELECT source, contact FROM appointment WHERE practice_id = $1 AND appointment_id = $2"


async def booked_by(conn: Connection, practice_id: UUID, appointment_id: UUID) -> BookedBy | None:
    """Return how an appointment was booked."""
    return one(await conn.fetchrow(BOOKED_BY, practice_id, appointment_id), BookedBy)


class Holder(Struct, frozen=True, kw_only=True):
    """Which record of ours has an identifier of the PIMS. `mirrored`: it is a copy, nothing that was booked with us."""

    id: UUID
    mirrored: bool


CLIENT_HOLDS = "SELECT client_id AS id, true AS mirrored FROM client WHERE practice_id = $1 AND pims_id = $2"
PATIENT_HOLDS = "SELECT patient_id AS id, true AS mirrored FROM patient WHERE practice_id = $1 AND pims_id = $2"
APPOINTMENT_HOLDS = """
SELECT appointment_id AS id, source = 'pims' AS mirrored FROM appointment WHERE practice_id = $1 AND pims_id = $2
"""
HOLDER: dict[Kind, str] = {"client": CLIENT_HOLDS, "patient": PATIENT_HOLDS, "appointment": APPOINTMENT_HOLDS}


async def holder_of(conn: Connection, practice_id: UUID, kind: Kind, pims_id: str) -> Holder | None:
    """Find the record of ours that has an identifier of the PIMS."""
    return one(await conn.fetchrow(HOLDER[kind], practice_id, pims_id), Holder)


# In the order in which everybody locks appointments.
LOCK_APPOINTMENTS_OF_CLIENT = """
SELECT FROM appointment WHERE practice_id = $1 AND client_id = $2 ORDER BY appointment_id FOR NO KEY UPDATE
"""
LOCK_APPOINTMENTS_OF_PATIENT = """
SELECT FROM appointment WHERE practice_id = $1 AND patient_id = $2 ORDER BY appointment_id FOR NO KEY UPDATE
"""
GIVE_APPOINTMENTS_OF_CLIENT = "UPDATE appointment SET client_id = $3 WHERE practice_id = $1 AND client_id = $2"
GIVE_APPOINTMENTS_OF_PATIENT = "UPDATE appointment SET patient_id = $3 WHERE practice_id = $1 AND patient_id = $2"
GIVE_CONVERSATIONS = "UPDATE conversation SET client_id = $3 WHERE practice_id = $1 AND client_id = $2"
GIVE_CONVERSATIONS_OF_PATIENT = """
UPDATE conversation SET patient_id = $3 WHERE practice_id = $1 AND patient_id = $2
"""
GIVE_PATIENTS = "UPDATE patient SET client_id = $3 WHERE practice_id = $1 AND client_id = $2"
SET_CLIENT_ASIDE = """
WITH dropped AS (DELETE FROM client_contact WHERE practice_id = $1 AND client_id = $2)
UPDATE client SET active = false, merged_into = $3 WHERE practice_id = $1 AND client_id = $2
"""
SET_PATIENT_ASIDE = """
UPDATE patient SET status = 'inactive', merged_into = $3 WHERE practice_id = $1 AND patient_id = $2
"""


async def take_place_of(
    conn: Connection, practice_id: UUID, kind: Literal["client", "patient"], mine: UUID, known: UUID
) -> None:
    """Let what belongs to a client or patient of ours belong to the one who is known; nothing else is merged.

    Ours is set aside: history keeps its name, and it reaches nobody any more.
    """
    if kind == "client":
        await conn.execute(LOCK_APPOINTMENTS_OF_CLIENT, practice_id, mine)
        await conn.execute(GIVE_APPOINTMENTS_OF_CLIENT, practice_id, mine, known)
        await conn.execute(GIVE_PATIENTS, practice_id, mine, known)
        await conn.execute(GIVE_CONVERSATIONS, practice_id, mine, known)
        await conn.execute(SET_CLIENT_ASIDE, practice_id, mine, known)
    else:
        await conn.execute(LOCK_APPOINTMENTS_OF_PATIENT, practice_id, mine)
        await conn.execute(GIVE_APPOINTMENTS_OF_PATIENT, practice_id, mine, known)
        await conn.execute(GIVE_CONVERSATIONS_OF_PATIENT, practice_id, mine, known)
        await conn.execute(SET_PATIENT_ASIDE, practice_id, mine, known)


LOCK_TWO = """
SELECT FROM appointment WHERE practice_id = $1 AND appointment_id IN ($2, $3) ORDER BY appointment_id FOR UPDATE
"""
GIVE_LINES = """
UPDATE write_back SET appointment_id = $3, subject_id = CASE WHEN subject_id = $2 THEN $3 ELSE subject_id END
WHERE practice_id = $1 AND appointment_id = $2
"""
DELETE_COPY = "DELETE FROM appointment WHERE practice_id = $1 AND appointment_id = $2 AND source = 'pims'"


async def absorb_copy(conn: Connection, practice_id: UUID, copy: UUID, mine: UUID) -> None:
    """Drop our copy of an appointment of the PIMS, with what it takes: it is the one that was booked with us."""
    await conn.execute(LOCK_TWO, practice_id, copy, mine)
    await conn.execute(GIVE_LINES, practice_id, copy, mine)
    await conn.execute(DELETE_COPY, practice_id, copy)


# What we give stays on lanes within the capacity; what stands above was made in the PIMS, which had the time twice.
# Stays of more than two weeks are not looked for, which keeps the look through the index of ends short.
OVERBOOKED = """
SELECT EXISTS (SELECT FROM claim mine
  JOIN resource r ON r.practice_id = mine.practice_id AND r.resource_id = mine.resource_id
  JOIN claim other ON other.practice_id = mine.practice_id AND other.resource_id = mine.resource_id
    AND other.lane > r.capacity AND other.starts_at < mine.ends_at AND other.ends_at > mine.starts_at
    AND other.ends_at < mine.ends_at + interval '14 days'
    AND other.appointment_id <> mine.appointment_id
  WHERE mine.practice_id = $1 AND mine.appointment_id = $2)
"""


async def overbooked(conn: Connection, practice_id: UUID, appointment_id: UUID) -> bool:
    """Say whether somebody in the PIMS has taken an appointment's time, too."""
    return bool(await conn.fetchval(OVERBOOKED, practice_id, appointment_id))
