"""Clients and patients as the PIMS has them: how we have them, what is new of them, and who was joined into whom."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from booking.db.clients import PatientStatus
from booking.db.pool import Connection, affected, many
from pims_adapters import contract as pims


class MirroredClient(Struct, frozen=True, kw_only=True):
    """A client of the PIMS as we have them. `contacts`: kind, value and as typed; `ours`: written by us."""

    client_id: UUID
    pims_id: str
    given_name: str
    family_name: str
    active: bool
    merged: bool
    contacts: list[str]
    ours: bool


CLIENTS = """
SELECT c.client_id, c.pims_id, c.given_name, c.family_name, c.active, c.merged_into IS NOT NULL AS merged,
  coalesce((SELECT array_agg(concat_ws(' ', k.kind, k.value, k.as_typed)) FROM client_contact k
            WHERE k.practice_id = c.practice_id AND k.client_id = c.client_id), '{}') AS contacts,
  EXISTS (SELECT FROM write_back w WHERE w.practice_id = c.practice_id AND w.subject_id = c.client_id
            AND w.kind = 'client' AND w.action = 'create') AS ours
FROM client c WHERE c.practice_id = $1 AND c.pims_id = ANY($2::text[])
"""


async def clients(conn: Connection, practice_id: UUID, pims_ids: list[str]) -> dict[str, MirroredClient]:
    """Return our copies of clients of the PIMS, by its identifiers."""
    found = many(await conn.fetch(CLIENTS, practice_id, pims_ids), MirroredClient)
    return {one.pims_id: one for one in found}


PUT_CLIENT = """
INSERT INTO client (practice_id, client_id, pims_id, given_name, family_name, active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT ON CONSTRAINT client_pims_id_unique DO UPDATE SET given_name = excluded.given_name,
  family_name = excluded.family_name, active = excluded.active, merged_into = NULL
"""


async def put_clients(
    conn: Connection, practice_id: UUID, records: list[tuple[UUID, pims.Client]], now: datetime
) -> None:
    """Mirror clients, those that are new to us under these ids."""
    await conn.executemany(
        PUT_CLIENT,
        [
            (practice_id, new_id, one.pims_id, one.given_name, one.family_name, one.active, now)
            for new_id, one in records
        ],
    )


KEEP_PLACE = """
INSERT INTO client (practice_id, client_id, pims_id, given_name, family_name, active, created_at)
VALUES ($1, $2, $3, '', '', false, $4) ON CONFLICT ON CONSTRAINT client_pims_id_unique DO NOTHING
"""


async def keep_places(conn: Connection, practice_id: UUID, clients: list[tuple[UUID, str]], now: datetime) -> None:
    """Keep a nameless place for clients of whom the PIMS has only told patients."""
    await conn.executemany(KEEP_PLACE, [(practice_id, new_id, pims_id, now) for new_id, pims_id in clients])


FORGET_CONTACTS = "DELETE FROM client_contact WHERE practice_id = $1 AND client_id = ANY($2::uuid[])"


async def forget_contacts(conn: Connection, practice_id: UUID, client_ids: list[UUID]) -> None:
    """Drop clients' contacts, to be mirrored anew."""
    await conn.execute(FORGET_CONTACTS, practice_id, client_ids)


class MirroredPatient(Struct, frozen=True, kw_only=True):
    """A patient of the PIMS as we have it. `client`: the PIMS's identifier of its client; `ours`: written by us."""

    patient_id: UUID
    pims_id: str
    client: str | None
    name: str
    species: str
    breed: str
    sex: str
    birth_date: date | None
    status: PatientStatus
    merged: bool
    ours: bool


PATIENTS = """
SELECT p.patient_id, p.pims_id, c.pims_id AS client, p.name, p.species, p.breed, p.sex, p.birth_date, p.status,
  p.merged_into IS NOT NULL AS merged,
  EXISTS (SELECT FROM write_back w WHERE w.practice_id = p.practice_id AND w.subject_id = p.patient_id
            AND w.kind = 'patient' AND w.action = 'create') AS ours
FROM patient p JOIN client c ON c.practice_id = p.practice_id AND c.client_id = p.client_id
WHERE p.practice_id = $1 AND p.pims_id = ANY($2::text[])
"""


async def patients(conn: Connection, practice_id: UUID, pims_ids: list[str]) -> dict[str, MirroredPatient]:
    """Return our copies of patients of the PIMS, by its identifiers."""
    found = many(await conn.fetch(PATIENTS, practice_id, pims_ids), MirroredPatient)
    return {one.pims_id: one for one in found}


PUT_PATIENT = """
INSERT INTO patient (practice_id, patient_id, pims_id, client_id, name, species, breed, sex, birth_date, status)
SELECT $1, $2, $3, coalesce(c.merged_into, c.client_id), $5, $6, $7, $8, $9, $10
FROM client c WHERE c.practice_id = $1 AND c.pims_id = $4
ON CONFLICT ON CONSTRAINT patient_pims_id_unique
DO UPDATE SET client_id = excluded.client_id, name = excluded.name, species = excluded.species,
  breed = excluded.breed, sex = excluded.sex, birth_date = excluded.birth_date, status = excluded.status,
  merged_into = NULL
"""


async def put_patients(conn: Connection, practice_id: UUID, records: list[tuple[UUID, pims.Patient]]) -> None:
    """Mirror patients, those that are new to us under these ids; of each we must have the client."""
    await conn.executemany(
        PUT_PATIENT,
        [
            (
                practice_id,
                new_id,
                one.pims_id,
                one.client,
                one.name,
                one.species,
                one.breed,
                one.sex,
                one.birth_date,
                one.status,
            )
            for new_id, one in records
        ],
    )


UNLINK = {
    "client": "UPDATE client SET pims_id = NULL WHERE practice_id = $1 AND pims_id = $2",
    "patient": "UPDATE patient SET pims_id = NULL WHERE practice_id = $1 AND pims_id = $2",
}


async def unlink(conn: Connection, practice_id: UUID, kind: pims.Kind, pims_id: str) -> None:
    """Let go of an identifier under which the PIMS now keeps somebody else."""
    await conn.execute(UNLINK[kind], practice_id, pims_id)


# Where we have only the one who is no more, that one goes on under the other identifier.
GOES_ON_AS = {
    "client": """
        UPDATE client SET pims_id = $3 WHERE practice_id = $1 AND pims_id = $2
          AND NOT EXISTS (SELECT FROM client WHERE practice_id = $1 AND pims_id = $3)""",
    "patient": """
        UPDATE patient SET pims_id = $3 WHERE practice_id = $1 AND pims_id = $2
          AND NOT EXISTS (SELECT FROM patient WHERE practice_id = $1 AND pims_id = $3)""",
}

BOTH = """
  FROM {table} gone JOIN {table} stays ON stays.practice_id = gone.practice_id AND stays.pims_id = $3
  WHERE gone.practice_id = $1 AND gone.pims_id = $2 AND gone.{table}_id <> stays.{table}_id
"""
BOTH_CLIENTS, BOTH_PATIENTS = BOTH.format(table="client"), BOTH.format(table="patient")

FOLLOW = {
    "client": (
        f"""
        UPDATE patient SET client_id = stays.client_id {BOTH_CLIENTS}
          AND patient.practice_id = $1 AND patient.client_id = gone.client_id""",
        f"""
        UPDATE appointment SET client_id = stays.client_id {BOTH_CLIENTS}
          AND appointment.practice_id = $1 AND appointment.client_id = gone.client_id""",
        f"""
        INSERT INTO client_contact (practice_id, client_id, kind, value, as_typed)
        SELECT $1, both_of.stays_id, k.kind, k.value, k.as_typed
        FROM (SELECT gone.client_id AS gone_id, stays.client_id AS stays_id {BOTH_CLIENTS}) both_of
        JOIN client_contact k ON k.practice_id = $1 AND k.client_id = both_of.gone_id
        ON CONFLICT (practice_id, client_id, kind, value) DO NOTHING""",
        f"""
        INSERT INTO blocked_contact (practice_id, kind, value, reason, created_at)
        SELECT $1, 'client', both_of.stays_id::text, k.reason, k.created_at
        FROM (SELECT gone.client_id AS gone_id, stays.client_id AS stays_id {BOTH_CLIENTS}) both_of
        JOIN blocked_contact k ON k.practice_id = $1 AND k.kind = 'client' AND k.value = both_of.gone_id::text
        ON CONFLICT (practice_id, kind, value) DO NOTHING""",
        """
        DELETE FROM client_contact k USING client gone
        WHERE gone.practice_id = $1 AND gone.pims_id = $2 AND k.practice_id = $1 AND k.client_id = gone.client_id
          AND EXISTS (SELECT FROM client WHERE practice_id = $1 AND pims_id = $3)""",
        f"""
        UPDATE client SET merged_into = stays.client_id {BOTH_CLIENTS}
          AND client.practice_id = $1 AND client.merged_into = gone.client_id""",
        f"""
        UPDATE client SET active = false, merged_into = stays.client_id {BOTH_CLIENTS}
          AND client.practice_id = $1 AND client.client_id = gone.client_id
          AND client.merged_into IS DISTINCT FROM stays.client_id""",
    ),
    "patient": (
        f"""
        UPDATE appointment SET patient_id = stays.patient_id {BOTH_PATIENTS}
          AND appointment.practice_id = $1 AND appointment.patient_id = gone.patient_id""",
        "UPDATE vaccination SET patient = $3 WHERE practice_id = $1 AND patient = $2",
        "UPDATE reminder SET patient = $3 WHERE practice_id = $1 AND patient = $2",
        f"""
        UPDATE patient SET merged_into = stays.patient_id {BOTH_PATIENTS}
          AND patient.practice_id = $1 AND patient.merged_into = gone.patient_id""",
        f"""
        UPDATE patient SET status = 'inactive', merged_into = stays.patient_id {BOTH_PATIENTS}
          AND patient.practice_id = $1 AND patient.patient_id = gone.patient_id
          AND patient.merged_into IS DISTINCT FROM stays.patient_id""",
    ),
}
"""What follows when the PIMS joins one into another: all that belonged to the one, in this order."""


async def merge(conn: Connection, practice_id: UUID, merged: pims.Merged) -> bool:
    """Join one client or patient into another, as the PIMS did; whether that changed anything with us.

    The caller has locked the appointments of the one who is no more.
    """
    if merged.pims_id == merged.into:
        return False
    kind = merged.of
    goes_on = await conn.execute(GOES_ON_AS[kind], practice_id, merged.pims_id, merged.into)
    changed = affected(goes_on)
    for each in FOLLOW[kind]:
        arguments = (practice_id, merged.pims_id, merged.into)
        changed += affected(await conn.execute(each, *arguments))
    return changed > 0


STANDING = """
SELECT pims_id FROM client WHERE practice_id = $1 AND $2 = 'client' AND pims_id IS NOT NULL AND active
UNION ALL
SELECT pims_id FROM patient WHERE practice_id = $1 AND $2 = 'patient' AND pims_id IS NOT NULL AND status = 'active'
"""


async def standing(conn: Connection, practice_id: UUID, kind: pims.RecordKind) -> set[str]:
    """Return the clients, or patients, that a listing of the PIMS is to have."""
    return {row["pims_id"] for row in await conn.fetch(STANDING, practice_id, kind)}
