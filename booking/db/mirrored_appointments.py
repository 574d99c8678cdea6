"""Appointments as the PIMS has them: how we have them, and what is new of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from availability import Assignment
from booking.db.appointments import Source, Status
from booking.db.mirror import Said, said
from booking.db.pool import Connection, affected, many, one
from pims_adapters import contract as pims


class Mirrored(Struct, frozen=True, kw_only=True):
    """An appointment of the PIMS as we have it, in its identifiers.

    `said`: what the PIMS last said of it. `ahead`: a change of ours is still on its way there. `claimed`: whose time it
    takes now; `serving`: role → resource ids, also where it takes none.
    """

    pims_id: str
    appointment_id: UUID
    reference: str | None
    source: Source
    status: Status
    starts_at: datetime
    ends_at: datetime
    description: str
    appointment_type: str | None
    client: str | None
    patient: str | None
    said: Said | None
    ahead: bool
    claimed: list[UUID]
    serving: Assignment


# In the order of their ids and before any day's lock, as whoever changes a booking takes them.
LOCK_MIRRORED = """
SELECT FROM appointment a WHERE a.practice_id = $1 AND (
  a.pims_id = ANY($2::text[])
  OR a.client_id IN (SELECT client_id FROM client WHERE practice_id = $1 AND pims_id = ANY($3::text[]))
  OR a.patient_id IN (SELECT patient_id FROM patient WHERE practice_id = $1 AND pims_id = ANY($4::text[])))
ORDER BY a.appointment_id FOR NO KEY UPDATE
"""


async def lock_mirrored(
    conn: Connection, practice_id: UUID, pims_ids: Iterable[str], *, of_clients: list[str], of_patients: list[str]
) -> None:
    """Keep our copies of appointments of the PIMS from others until the transaction ends."""
    await conn.execute(LOCK_MIRRORED, practice_id, list(pims_ids), of_clients, of_patients)


MIRRORED = """
SELECT a.pims_id, a.appointment_id, a.reference, a.source, a.status, a.starts_at, a.ends_at, a.description,
  t.pims_id AS appointment_type, c.pims_id AS client, p.pims_id AS patient, a.pims_said AS said,
  EXISTS (SELECT FROM write_back w
    WHERE w.practice_id = a.practice_id AND w.appointment_id = a.appointment_id AND w.kind = 'appointment'
      AND w.action <> 'create' AND w.state NOT IN ('written', 'superseded')) AS ahead,
  coalesce((SELECT array_agg(DISTINCT k.resource_id) FROM claim k
            WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id), '{}') AS claimed,
  a.resources AS serving
FROM appointment a
LEFT JOIN appointment_type t ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
LEFT JOIN client c ON c.practice_id = a.practice_id AND c.client_id = a.client_id
LEFT JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
WHERE a.practice_id = $1"""

BY_PIMS_ID = f"{MIRRORED} AND a.pims_id = ANY($2::text[])"


async def mirrored(conn: Connection, practice_id: UUID, pims_ids: list[str]) -> dict[str, Mirrored]:
    """Return our copies of appointments of the PIMS, by its identifiers."""
    return {one.pims_id: one for one in many(await conn.fetch(BY_PIMS_ID, practice_id, pims_ids), Mirrored)}


BETWEEN = f"""
{MIRRORED} AND a.pims_id IS NOT NULL AND a.starts_at < $3 AND a.ends_at > $2 ORDER BY a.starts_at LIMIT 20000
"""


async def mirrored_between(conn: Connection, practice_id: UUID, start: datetime, end: datetime) -> dict[str, Mirrored]:
    """Return our copies of the PIMS's appointments that touch a span of time, by its identifiers."""
    return {one.pims_id: one for one in many(await conn.fetch(BETWEEN, practice_id, start, end), Mirrored)}


INSERT_FROM_PIMS = """
INSERT INTO appointment (practice_id, appointment_id, pims_id, source, status, starts_at, ends_at, description,
  created_at, pims_said, appointment_type_id, client_id, patient_id)
SELECT $1, $2, $3, 'pims', $4, $5, $6, $7, $8, $12,
  (SELECT appointment_type_id FROM appointment_type WHERE practice_id = $1 AND pims_id = $9),
  (SELECT coalesce(merged_into, client_id) FROM client WHERE practice_id = $1 AND pims_id = $10),
  (SELECT coalesce(merged_into, patient_id) FROM patient WHERE practice_id = $1 AND pims_id = $11)
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
                said(record).status,
                record.start,
                record.end,
                record.description,
                now,
                record.appointment_type,
                record.client,
                record.patient,
                said(record),
            )
            for new_id, record in records
        ],
    )


# `$9` and on: what the PIMS has not told of leaves what we have.
FOLLOW_PIMS = """
UPDATE appointment SET status = $3, starts_at = $4, ends_at = $5, description = $6,
  calendar_sequence = calendar_sequence + $7, pims_said = $8,
  appointment_type_id = coalesce(
    (SELECT t.appointment_type_id FROM appointment_type t WHERE t.practice_id = $1 AND t.pims_id = $9),
    appointment_type_id),
  client_id = coalesce((SELECT coalesce(c.merged_into, c.client_id) FROM client c
    WHERE c.practice_id = $1 AND c.pims_id = $10), client_id),
  patient_id = coalesce((SELECT coalesce(p.merged_into, p.patient_id) FROM patient p
    WHERE p.practice_id = $1 AND p.pims_id = $11), patient_id)
WHERE practice_id = $1 AND appointment_id = $2
"""


class Followed(Struct, frozen=True, kw_only=True):
    """How an appointment is to stand with us. `raise_sequence`: calendars are to learn of it."""

    status: Status
    starts_at: datetime
    ends_at: datetime
    description: str
    appointment_type: str | None
    client: str | None
    patient: str | None
    said: Said
    raise_sequence: bool


async def follow_pims(conn: Connection, practice_id: UUID, appointment_id: UUID, followed: Followed) -> None:
    """Let an appointment stand as the practice has it in its PIMS."""
    await conn.execute(
        FOLLOW_PIMS,
        practice_id,
        appointment_id,
        followed.status,
        followed.starts_at,
        followed.ends_at,
        followed.description,
        int(followed.raise_sequence),
        followed.said,
        followed.appointment_type,
        followed.client,
        followed.patient,
    )


# What was said of it stays, as cancelled: where it comes back as it was, that is news.
CANCEL = """
UPDATE appointment SET status = 'cancelled', pims_said = jsonb_set(pims_said, '{status}', '"cancelled"'),
  calendar_sequence = calendar_sequence + 1
WHERE practice_id = $1 AND appointment_id = $2 AND status <> 'cancelled'
"""


async def cancel(conn: Connection, practice_id: UUID, appointment_id: UUID) -> bool:
    """Follow the PIMS in that an appointment is no more; False: it stood no more with us either."""
    return affected(await conn.execute(CANCEL, practice_id, appointment_id)) == 1


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


UNLINK = """
UPDATE appointment SET pims_id = NULL, pims_said = NULL WHERE practice_id = $1 AND appointment_id = $2
"""


async def unlink(conn: Connection, practice_id: UUID, appointment_id: UUID) -> None:
    """Let go of an identifier under which the PIMS now keeps another appointment."""
    await conn.execute(UNLINK, practice_id, appointment_id)


LINK_LATE = """
UPDATE appointment a SET
  appointment_type_id = coalesce(a.appointment_type_id, (SELECT t.appointment_type_id FROM appointment_type t
    WHERE t.practice_id = $1 AND t.pims_id = a.pims_said ->> 'appointment_type')),
  client_id = coalesce(a.client_id, (SELECT coalesce(c.merged_into, c.client_id) FROM client c
    WHERE c.practice_id = $1 AND c.pims_id = a.pims_said ->> 'client')),
  patient_id = coalesce(a.patient_id, (SELECT coalesce(p.merged_into, p.patient_id) FROM patient p
    WHERE p.practice_id = $1 AND p.pims_id = a.pims_said ->> 'patient'))
WHERE a.practice_id = $1 AND a.source = 'pims' AND (
  a.appointment_type_id IS NULL AND a.pims_said ->> 'appointment_type' = ANY($2::text[])
  OR a.client_id IS NULL AND a.pims_said ->> 'client' = ANY($3::text[])
  OR a.patient_id IS NULL AND a.pims_said ->> 'patient' = ANY($4::text[]))
"""


async def link_late(
    conn: Connection, practice_id: UUID, *, types: list[str], clients: list[str], patients: list[str]
) -> bool:
    """Tell appointments whose type, client or patient the PIMS has only now told us of; whether there were any."""
    return affected(await conn.execute(LINK_LATE, practice_id, types, clients, patients)) > 0


STANDING = """
SELECT count(*) FROM appointment
WHERE practice_id = $1 AND pims_id IS NOT NULL AND ends_at > $2 AND status NOT IN ('cancelled', 'no_show')
"""


async def standing(conn: Connection, practice_id: UUID, since: datetime) -> int:
    """Return how many appointments that the PIMS has are still to come."""
    return int(await conn.fetchval(STANDING, practice_id, since))


class Unshown(Struct, frozen=True, kw_only=True):
    """An appointment of ours that the PIMS may have and has not shown yet, in its identifiers."""

    appointment_id: UUID
    start: datetime
    end: datetime
    resources: list[str]
    appointment_type: str | None
    client: str | None
    patient: str | None


UNSHOWN = """
SELECT a.appointment_id, a.starts_at AS start, a.ends_at AS end, t.pims_id AS appointment_type, c.pims_id AS client,
  p.pims_id AS patient,
  ARRAY(SELECT DISTINCT r.pims_id FROM claim k
    JOIN resource r ON r.practice_id = k.practice_id AND r.resource_id = k.resource_id
    WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id AND r.pims_id IS NOT NULL) AS resources
FROM appointment a
JOIN write_back w ON w.practice_id = a.practice_id AND w.appointment_id = a.appointment_id
  AND w.kind = 'appointment' AND w.action = 'create'
  AND (w.state IN ('sending', 'unknown', 'needs_attention') OR w.state = 'written' OR w.attempts > 0)
JOIN client c ON c.practice_id = a.practice_id AND c.client_id = a.client_id
JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
JOIN appointment_type t ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
WHERE a.practice_id = $1 AND a.pims_id IS NULL AND a.starts_at = ANY($2::timestamptz[]) LIMIT 1000
"""


async def unshown(conn: Connection, practice_id: UUID, starts: list[datetime]) -> list[Unshown]:
    """Return our appointments at these times that left for the PIMS, or were to be entered there by hand."""
    return many(await conn.fetch(UNSHOWN, practice_id, starts), Unshown)


# Shown without our key at first, it was taken for one that was made in the PIMS.
GIVE_WAY = """
DELETE FROM appointment WHERE practice_id = $1 AND pims_id = $3 AND source = 'pims'
  AND EXISTS (SELECT FROM appointment WHERE practice_id = $1 AND appointment_id = $2 AND pims_id IS NULL)
"""

# The first identifier counts, should the PIMS show our key twice.
LINK = {
    "client": """
        UPDATE client SET pims_id = $3 WHERE practice_id = $1 AND client_id = $2 AND pims_id IS NULL
          AND NOT EXISTS (SELECT FROM client WHERE practice_id = $1 AND pims_id = $3)""",
    "patient": """
        UPDATE patient SET pims_id = $3 WHERE practice_id = $1 AND patient_id = $2 AND pims_id IS NULL
          AND NOT EXISTS (SELECT FROM patient WHERE practice_id = $1 AND pims_id = $3)""",
    "appointment": """
        UPDATE appointment SET pims_id = $3 WHERE practice_id = $1 AND appointment_id = $2 AND pims_id IS NULL
          AND NOT EXISTS (SELECT FROM appointment WHERE practice_id = $1 AND pims_id = $3)""",
}


async def link(conn: Connection, practice_id: UUID, kind: pims.Kind, subject_id: UUID, pims_id: str) -> None:
    """Remember under which identifier the PIMS shows a record of ours."""
    if kind == "appointment":
        await conn.execute(GIVE_WAY, practice_id, subject_id, pims_id)
    await conn.execute(LINK[kind], practice_id, subject_id, pims_id)


class StillToCome(Struct, frozen=True, kw_only=True):
    """A column of the PIMS, and how many appointments are still to come there."""

    name: str
    appointments: int


STILL_TO_COME = """
SELECT r.name, (SELECT count(DISTINCT k.appointment_id) FROM claim k
  WHERE k.practice_id = $1 AND k.resource_id = r.resource_id AND k.ends_at > $3 AND k.appointment_id IS NOT NULL
) AS appointments
FROM resource r WHERE r.practice_id = $1 AND r.pims_id = $2
"""


async def still_to_come(conn: Connection, practice_id: UUID, column: str, now: datetime) -> StillToCome | None:
    """Return how much is still to come on a column of the PIMS."""
    return one(await conn.fetchrow(STILL_TO_COME, practice_id, column, now), StillToCome)


WRITTEN_SINCE = """
SELECT a.pims_id FROM write_back w
JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.kind = 'appointment' AND w.state = 'written' AND w.written_at > $2
  AND a.pims_id IS NOT NULL LIMIT 10000
"""


async def written_since(conn: Connection, practice_id: UUID, since: datetime) -> set[str]:
    """Return what of ours was written so recently that a system with a lag may not show it, or not everywhere."""
    return {row["pims_id"] for row in await conn.fetch(WRITTEN_SINCE, practice_id, since)}
