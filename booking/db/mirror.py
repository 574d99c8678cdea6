"""Our mirror of what the PIMS owns: upserts by its identifiers, and what happens when a record is gone there."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

from availability import Assignment
from booking.db.appointments import Source, Status
from booking.db.pool import Connection, affected, many, only
from pims_adapters import contract as pims

RESOURCE_IDS = "SELECT pims_id, resource_id FROM resource WHERE practice_id = $1 AND pims_id IS NOT NULL"


async def resource_ids(conn: Connection, practice_id: UUID) -> dict[str, UUID]:
    """Return our id of each resource that the PIMS has."""
    return {row["pims_id"]: row["resource_id"] for row in await conn.fetch(RESOURCE_IDS, practice_id)}


PUT_RESOURCE = """
INSERT INTO resource (practice_id, resource_id, pims_id, name, kind, person, capacity, hours, overrides)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT ON CONSTRAINT resource_pims_id_unique DO UPDATE SET name = excluded.name, kind = excluded.kind,
  person = excluded.person, capacity = excluded.capacity, hours = excluded.hours, overrides = excluded.overrides,
  active = true
"""


async def put_resource(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.Resource) -> None:
    """Mirror a resource; its roles are ours and stay."""
    await conn.execute(
        PUT_RESOURCE,
        practice_id,
        new_id,
        record.pims_id,
        record.name,
        record.resource_kind,
        record.person,
        record.capacity,
        record.hours,
        record.overrides,
    )


SET_ROLES = "UPDATE resource SET roles = $3 WHERE practice_id = $1 AND pims_id = $2"


async def set_roles(conn: Connection, practice_id: UUID, pims_id: str, roles: list[str]) -> None:
    """Say which roles a resource can serve."""
    await conn.execute(SET_ROLES, practice_id, pims_id, roles)


PUT_CLOSURE = """
INSERT INTO closure (practice_id, closure_id, pims_id, name, first, last) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT closure_pims_id_unique
DO UPDATE SET name = excluded.name, first = excluded.first, last = excluded.last
"""


async def put_closure(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.Closure) -> None:
    """Mirror a closure."""
    await conn.execute(PUT_CLOSURE, practice_id, new_id, record.pims_id, record.name, record.first, record.last)


PUT_BLOCK_OFF = """
INSERT INTO block_off (practice_id, block_off_id, pims_id, resource_id, "time", reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT block_off_pims_id_unique
DO UPDATE SET resource_id = excluded.resource_id, "time" = excluded."time", reason = excluded.reason
"""


async def put_block_off(
    conn: Connection, practice_id: UUID, new_id: UUID, resource_id: UUID, record: pims.BlockOff
) -> None:
    """Mirror a block-off."""
    await conn.execute(PUT_BLOCK_OFF, practice_id, new_id, record.pims_id, resource_id, record.time, record.reason)


PUT_APPOINTMENT_TYPE = """
INSERT INTO appointment_type (practice_id, appointment_type_id, pims_id, pims_name, name) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT ON CONSTRAINT appointment_type_pims_id_unique DO UPDATE SET pims_name = excluded.pims_name, active = true
"""


async def put_appointment_type(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.AppointmentType) -> None:
    """Mirror a type: one that is new here is not bookable online until the practice says so."""
    await conn.execute(PUT_APPOINTMENT_TYPE, practice_id, new_id, record.pims_id, record.name)


PUT_CLIENT = """
INSERT INTO client (practice_id, client_id, pims_id, given_name, family_name, active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT ON CONSTRAINT client_pims_id_unique
DO UPDATE SET given_name = excluded.given_name, family_name = excluded.family_name, active = excluded.active
RETURNING client_id
"""


async def put_client(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.Client, now: datetime) -> UUID:
    """Mirror a client; our id of them."""
    row = await conn.fetchrow(
        PUT_CLIENT,
        practice_id,
        new_id,
        record.pims_id,
        record.given_name,
        record.family_name,
        record.active,
        now,
    )
    client_id: UUID = only(row)
    return client_id


FORGET_CONTACTS = "DELETE FROM client_contact WHERE practice_id = $1 AND client_id = ANY($2::uuid[])"


async def forget_contacts(conn: Connection, practice_id: UUID, client_ids: list[UUID]) -> None:
    """Drop clients' contacts, to be mirrored anew."""
    await conn.execute(FORGET_CONTACTS, practice_id, client_ids)


PUT_PATIENT = """
INSERT INTO patient (practice_id, patient_id, pims_id, client_id, name, species, breed, sex, birth_date, status)
SELECT $1, $2, $3, c.client_id, $5, $6, $7, $8, $9, $10 FROM client c WHERE c.practice_id = $1 AND c.pims_id = $4
ON CONFLICT ON CONSTRAINT patient_pims_id_unique
DO UPDATE SET client_id = excluded.client_id, name = excluded.name, species = excluded.species,
  breed = excluded.breed, sex = excluded.sex, birth_date = excluded.birth_date, status = excluded.status
"""


async def put_patient(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.Patient) -> bool:
    """Mirror a patient. False: we know nothing of its client."""
    status = await conn.execute(
        PUT_PATIENT,
        practice_id,
        new_id,
        record.pims_id,
        record.client,
        record.name,
        record.species,
        record.breed,
        record.sex,
        record.birth_date,
        record.status,
    )
    return affected(status) == 1


class Said(Struct, frozen=True, kw_only=True):
    """What the PIMS says of an appointment that can be changed with us too."""

    status: Status
    start: datetime
    end: datetime
    resources: list[str]


def said_of(record: object) -> Said | None:
    """Return what a record of the PIMS says, if it is an appointment."""
    if not isinstance(record, pims.Appointment):
        return None
    return Said(
        status=record.status,
        start=record.start.astimezone(UTC),
        end=record.end.astimezone(UTC),
        resources=sorted(record.resources),
    )


class Mirrored(Struct, frozen=True, kw_only=True):
    """An appointment of the PIMS as we have it. `ahead`: a change of ours is still on its way there."""

    pims_id: str
    appointment_id: UUID
    source: Source
    status: Status
    starts_at: datetime
    ends_at: datetime
    said: Said | None
    ahead: bool
    resource_ids: list[UUID]


LOCK_MIRRORED = """
SELECT FROM appointment WHERE practice_id = $1 AND pims_id = ANY($2::text[]) ORDER BY appointment_id FOR NO KEY UPDATE
"""


async def lock_mirrored(conn: Connection, practice_id: UUID, pims_ids: list[str]) -> None:
    """Keep our copies of appointments of the PIMS from others until the transaction ends.

    In the order of their ids and before any day's lock, as whoever changes a booking takes them.
    """
    await conn.execute(LOCK_MIRRORED, practice_id, pims_ids)


MIRRORED = """
SELECT a.pims_id, a.appointment_id, a.source, a.status, a.starts_at, a.ends_at, a.pims_said AS said,
  EXISTS (SELECT FROM write_back w
    WHERE w.practice_id = a.practice_id AND w.appointment_id = a.appointment_id AND w.kind = 'appointment'
      AND w.action <> 'create' AND w.state NOT IN ('written', 'superseded')) AS ahead,
  coalesce((SELECT array_agg(DISTINCT c.resource_id) FROM claim c
            WHERE c.practice_id = a.practice_id AND c.appointment_id = a.appointment_id), '{}') AS resource_ids
FROM appointment a WHERE a.practice_id = $1 AND a.pims_id = ANY($2::text[])
"""


async def mirrored_appointments(conn: Connection, practice_id: UUID, pims_ids: list[str]) -> dict[str, Mirrored]:
    """Return our copies of appointments of the PIMS, by its identifiers."""
    found = many(await conn.fetch(MIRRORED, practice_id, pims_ids), Mirrored)
    return {one.pims_id: one for one in found}


INSERT_FROM_PIMS = """
INSERT INTO appointment (practice_id, appointment_id, pims_id, source, status, starts_at, ends_at, description,
  created_at, pims_said, appointment_type_id, client_id, patient_id)
SELECT $1, $2, $3, 'pims', $4, $5, $6, $7, $8, $12,
  (SELECT appointment_type_id FROM appointment_type WHERE practice_id = $1 AND pims_id = $9),
  (SELECT client_id FROM client WHERE practice_id = $1 AND pims_id = $10),
  (SELECT patient_id FROM patient WHERE practice_id = $1 AND pims_id = $11)
"""


async def insert_from_pims(
    conn: Connection, practice_id: UUID, records: list[tuple[UUID, pims.Appointment]], now: datetime
) -> None:
    """Mirror appointments that were made in the PIMS, each under a new id of ours."""
    await conn.executemany(
        INSERT_FROM_PIMS,
        [
            (
                practice_id,
                new_id,
                record.pims_id,
                record.status,
                record.start,
                record.end,
                record.description,
                now,
                record.appointment_type,
                record.client,
                record.patient,
                said_of(record),
            )
            for new_id, record in records
        ],
    )


UPDATE_FROM_PIMS = """
UPDATE appointment SET description = $3,
  appointment_type_id = coalesce(
    (SELECT t.appointment_type_id FROM appointment_type t WHERE t.practice_id = $1 AND t.pims_id = $4),
    appointment_type_id),
  client_id = coalesce(
    (SELECT c.client_id FROM client c WHERE c.practice_id = $1 AND c.pims_id = $5), client_id),
  patient_id = coalesce(
    (SELECT p.patient_id FROM patient p WHERE p.practice_id = $1 AND p.pims_id = $6), patient_id),
  pims_said = $7
WHERE practice_id = $1 AND appointment_id = $2
"""


async def update_from_pims(conn: Connection, practice_id: UUID, appointment_id: UUID, record: pims.Appointment) -> None:
    """Follow what the practice changed in its PIMS, apart from time and status, of which is kept what the PIMS says."""
    await conn.execute(
        UPDATE_FROM_PIMS,
        practice_id,
        appointment_id,
        record.description,
        record.appointment_type,
        record.client,
        record.patient,
        said_of(record),
    )


MOVE_FROM_PIMS = """
UPDATE appointment SET status = $3, starts_at = $4, ends_at = $5 WHERE practice_id = $1 AND appointment_id = $2
"""


async def move_from_pims(
    conn: Connection, practice_id: UUID, appointment_id: UUID, status: Status, record: pims.Appointment
) -> None:
    """Follow the practice where an appointment takes place at another time, or stands otherwise."""
    await conn.execute(MOVE_FROM_PIMS, practice_id, appointment_id, status, record.start, record.end)


SET_SAID = "UPDATE appointment SET pims_said = $3 WHERE practice_id = $1 AND appointment_id = $2"


async def set_said(conn: Connection, practice_id: UUID, appointment_id: UUID, said: Said | None) -> None:
    """Remember how the PIMS shows an appointment, to tell news from what it only repeats."""
    await conn.execute(SET_SAID, practice_id, appointment_id, said)


FOLLOWED_BY_HAND = """
UPDATE write_back SET state = 'written', written_at = $3, reason = 'Done in the PIMS.'
WHERE practice_id = $1 AND appointment_id = $2 AND kind = 'appointment' AND action <> 'create'
  AND state = 'needs_attention'
"""


async def followed_by_hand(conn: Connection, practice_id: UUID, appointment_id: UUID, now: datetime) -> None:
    """Close the tasks of staff for an appointment that the PIMS now shows as we do."""
    await conn.execute(FOLLOWED_BY_HAND, practice_id, appointment_id, now)


SET_RESOURCES = "UPDATE appointment SET resources = $3 WHERE practice_id = $1 AND appointment_id = $2"


async def set_resources(conn: Connection, practice_id: UUID, appointment_id: UUID, resources: Assignment) -> None:
    """Remember who serves an appointment that the practice moved; the PIMS does not say in which role."""
    await conn.execute(SET_RESOURCES, practice_id, appointment_id, resources)


# A record that others refer to is set aside, not deleted: history keeps its names.
FORGET = {
    "resource": "UPDATE resource SET active = false WHERE practice_id = $1 AND pims_id = $2",
    "closure": "DELETE FROM closure WHERE practice_id = $1 AND pims_id = $2",
    "blockoff": "DELETE FROM block_off WHERE practice_id = $1 AND pims_id = $2",
    "appointmenttype": "UPDATE appointment_type SET active = false WHERE practice_id = $1 AND pims_id = $2",
    "client": "UPDATE client SET active = false WHERE practice_id = $1 AND pims_id = $2",
    "patient": "UPDATE patient SET status = 'inactive' WHERE practice_id = $1 AND pims_id = $2",
    "appointment": "UPDATE appointment SET status = 'cancelled' WHERE practice_id = $1 AND pims_id = $2",
}


async def forget(conn: Connection, practice_id: UUID, gone: pims.Gone) -> None:
    """Follow the PIMS's word that a record is no more."""
    if gone.of in FORGET:
        await conn.execute(FORGET[gone.of], practice_id, gone.pims_id)
