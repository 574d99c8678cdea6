"""Our mirror of what the PIMS owns of a practice's set-up, what it last said of appointments, and what is gone there.

What is put by its identifiers is written only where it differs: the answer says whether it did.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import get_args
from uuid import UUID

from msgspec import Struct

from availability import Recurring
from booking.db.appointments import Status
from booking.db.pool import Connection, affected, many
from pims_adapters import contract as pims

RESOURCE_IDS = "SELECT pims_id, resource_id FROM resource WHERE practice_id = $1 AND pims_id IS NOT NULL"


async def resource_ids(conn: Connection, practice_id: UUID) -> dict[str, UUID]:
    """Return our id of each resource that the PIMS has."""
    return {row["pims_id"]: row["resource_id"] for row in await conn.fetch(RESOURCE_IDS, practice_id)}


PUT_RESOURCE = """
INSERT INTO resource AS r
  (practice_id, resource_id, pims_id, name, kind, person, capacity, hours, overrides, hours_from_pims)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT ON CONSTRAINT resource_pims_id_unique DO UPDATE SET name = excluded.name, kind = excluded.kind,
  person = excluded.person, capacity = excluded.capacity,
  hours = CASE WHEN excluded.hours_from_pims THEN excluded.hours ELSE r.hours END,
  overrides = CASE WHEN excluded.hours_from_pims THEN excluded.overrides ELSE r.overrides END,
  hours_from_pims = excluded.hours_from_pims, active = true
WHERE (r.name, r.kind, r.person, r.capacity, r.hours_from_pims, r.active)
    IS DISTINCT FROM (excluded.name, excluded.kind, excluded.person, excluded.capacity, excluded.hours_from_pims, true)
  OR excluded.hours_from_pims AND (r.hours, r.overrides) IS DISTINCT FROM (excluded.hours, excluded.overrides)
"""


async def put_resource(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.Resource) -> bool:
    """Mirror a resource; its roles are ours and stay, and so do its hours where the PIMS tells none."""
    status = await conn.execute(
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
        record.hours is not None or bool(record.overrides),
    )
    return affected(status) == 1


SET_ROLES = "UPDATE resource SET roles = $3 WHERE practice_id = $1 AND pims_id = $2"


async def set_roles(conn: Connection, practice_id: UUID, pims_id: str, roles: list[str]) -> None:
    """Say which roles a resource can serve."""
    await conn.execute(SET_ROLES, practice_id, pims_id, roles)


PUT_CLOSURE = """
INSERT INTO closure (practice_id, closure_id, pims_id, name, first, last) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT closure_pims_id_unique
DO UPDATE SET name = excluded.name, first = excluded.first, last = excluded.last
WHERE (closure.name, closure.first, closure.last) IS DISTINCT FROM (excluded.name, excluded.first, excluded.last)
"""


async def put_closure(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.Closure) -> bool:
    """Mirror a closure."""
    said = (record.name, record.first, record.last)
    return affected(await conn.execute(PUT_CLOSURE, practice_id, new_id, record.pims_id, *said)) == 1


PUT_BLOCK_OFF = """
INSERT INTO block_off (practice_id, block_off_id, pims_id, resource_id, "time", reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT block_off_pims_id_unique
DO UPDATE SET resource_id = excluded.resource_id, "time" = excluded."time", reason = excluded.reason
WHERE (block_off.resource_id, block_off."time", block_off.reason)
  IS DISTINCT FROM (excluded.resource_id, excluded."time", excluded.reason)
"""


async def put_block_off(
    conn: Connection, practice_id: UUID, new_id: UUID, resource_id: UUID, record: pims.BlockOff
) -> bool:
    """Mirror a block-off."""
    said = (record.pims_id, resource_id, record.time, record.reason)
    return affected(await conn.execute(PUT_BLOCK_OFF, practice_id, new_id, *said)) == 1


PUT_APPOINTMENT_TYPE = """
INSERT INTO appointment_type (practice_id, appointment_type_id, pims_id, pims_name, name) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT ON CONSTRAINT appointment_type_pims_id_unique DO UPDATE SET pims_name = excluded.pims_name, active = true
WHERE (appointment_type.pims_name, appointment_type.active) IS DISTINCT FROM (excluded.pims_name, true)
"""


async def put_appointment_type(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.AppointmentType) -> bool:
    """Mirror a type: one that is new here is not bookable online until the practice says so."""
    return affected(await conn.execute(PUT_APPOINTMENT_TYPE, practice_id, new_id, record.pims_id, record.name)) == 1


PUT_RULE = """
INSERT INTO rule (practice_id, rule_id, pims_id, name, effect, "when", pims_types, pims_resources, appointment_types,
  resources)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $7::text[] IS NOT NULL THEN '{}'::uuid[] END,
  CASE WHEN $8::text[] IS NOT NULL THEN '{}'::uuid[] END)
ON CONFLICT ON CONSTRAINT rule_pims_id_unique DO UPDATE SET name = excluded.name, effect = excluded.effect,
  "when" = excluded."when", pims_types = excluded.pims_types, pims_resources = excluded.pims_resources,
  appointment_types = excluded.appointment_types, resources = excluded.resources
WHERE (rule.name, rule.effect, rule."when", rule.pims_types, rule.pims_resources)
  IS DISTINCT FROM (excluded.name, excluded.effect, excluded."when", excluded.pims_types, excluded.pims_resources)
"""


async def put_rule(conn: Connection, practice_id: UUID, new_id: UUID, record: pims.PlanningRule) -> bool:
    """Mirror a rule of the PIMS in its own words; `resolve_rules` finds what it speaks of."""
    types = None if record.appointment_types is None else list(record.appointment_types)
    resources = None if record.resources is None else list(record.resources)
    said = (record.pims_id, record.name, record.effect, record.when, types, resources)
    return affected(await conn.execute(PUT_RULE, practice_id, new_id, *said)) == 1


# What the PIMS has not told of yet is nobody: a rule of such types only denies nothing, or keeps its time for none.
RESOLVE_RULES = """
UPDATE rule SET appointment_types = found.types, resources = found.resources
FROM (
  SELECT r.rule_id,
    CASE WHEN r.pims_types IS NOT NULL THEN ARRAY(
      SELECT t.appointment_type_id FROM appointment_type t
      WHERE t.practice_id = $1 AND t.pims_id = ANY(r.pims_types) ORDER BY 1) END AS types,
    CASE WHEN r.pims_resources IS NOT NULL THEN ARRAY(
      SELECT c.resource_id FROM resource c
      WHERE c.practice_id = $1 AND c.pims_id = ANY(r.pims_resources) ORDER BY 1) END AS resources
  FROM rule r WHERE r.practice_id = $1 AND r.pims_id IS NOT NULL
) found
WHERE rule.practice_id = $1 AND rule.rule_id = found.rule_id
  AND (rule.appointment_types, rule.resources) IS DISTINCT FROM (found.types, found.resources)
"""


async def resolve_rules(conn: Connection, practice_id: UUID) -> None:
    """Let the PIMS's rules speak of our types and resources, as far as it has told of them."""
    await conn.execute(RESOLVE_RULES, practice_id)


STATUSES = get_args(Status)


class Said(Struct, frozen=True, kw_only=True):
    """What the PIMS says of an appointment, in its own identifiers."""

    status: Status
    start: datetime
    end: datetime
    resources: list[str]
    appointment_type: str | None = None
    client: str | None = None
    patient: str | None = None
    description: str = ""


def said_of(record: object) -> Said | None:
    """Return what a record of the PIMS says, if it is an appointment."""
    return said(record) if isinstance(record, pims.Appointment) else None


def said(record: pims.Appointment) -> Said:
    """Return what an appointment of the PIMS says. A status that nobody knows leaves its time taken."""
    return Said(
        status=record.status if record.status in STATUSES else "booked",
        start=record.start.astimezone(UTC),
        end=record.end.astimezone(UTC),
        resources=sorted(set(record.resources)),
        appointment_type=record.appointment_type,
        client=record.client,
        patient=record.patient,
        description=record.description,
    )


SET_SAID = "UPDATE appointment SET pims_said = $3 WHERE practice_id = $1 AND appointment_id = $2"


async def set_said(conn: Connection, practice_id: UUID, appointment_id: UUID, said: Said | None) -> None:
    """Remember how the PIMS shows an appointment, to tell news from what it only repeats."""
    await conn.execute(SET_SAID, practice_id, appointment_id, said)


# A record that others refer to is set aside, not deleted: history keeps its names.
FORGET = {
    "resource": "UPDATE resource SET active = false WHERE practice_id = $1 AND pims_id = $2 AND active",
    "closure": "DELETE FROM closure WHERE practice_id = $1 AND pims_id = $2",
    "blockoff": "DELETE FROM block_off WHERE practice_id = $1 AND pims_id = $2",
    "planningrule": "DELETE FROM rule WHERE practice_id = $1 AND pims_id = $2",
    "appointmenttype": "UPDATE appointment_type SET active = false WHERE practice_id = $1 AND pims_id = $2 AND active",
    "client": "UPDATE client SET active = false WHERE practice_id = $1 AND pims_id = $2 AND active",
    "patient": ("UPDATE patient SET status = 'inactive' WHERE practice_id = $1 AND pims_id = $2 AND status = 'active'"),
    "vaccination": "DELETE FROM vaccination WHERE practice_id = $1 AND pims_id = $2",
    "reminder": "DELETE FROM reminder WHERE practice_id = $1 AND pims_id = $2",
}


async def forget(conn: Connection, practice_id: UUID, kind: pims.RecordKind, pims_id: str) -> bool:
    """Follow the PIMS's word that a record, other than an appointment, is no more."""
    return kind in FORGET and affected(await conn.execute(FORGET[kind], practice_id, pims_id)) == 1


# How many records we have of each kind that can vanish by the dozen, and that mean something if they do.
STANDING = {
    "resource": "SELECT count(*) FROM resource WHERE practice_id = $1 AND pims_id IS NOT NULL AND active",
    "closure": "SELECT count(*) FROM closure WHERE practice_id = $1 AND pims_id IS NOT NULL",
    "blockoff": "SELECT count(*) FROM block_off WHERE practice_id = $1 AND pims_id IS NOT NULL",
    "planningrule": "SELECT count(*) FROM rule WHERE practice_id = $1 AND pims_id IS NOT NULL",
    "appointmenttype": (
        "SELECT count(*) FROM appointment_type WHERE practice_id = $1 AND pims_id IS NOT NULL AND active"
    ),
    "client": "SELECT count(*) FROM client WHERE practice_id = $1 AND pims_id IS NOT NULL AND active",
    "patient": "SELECT count(*) FROM patient WHERE practice_id = $1 AND pims_id IS NOT NULL AND status = 'active'",
}


async def standing(conn: Connection, practice_id: UUID, kind: pims.RecordKind) -> int:
    """Return how many records of a kind, other than appointments, we mirror as standing."""
    return int(await conn.fetchval(STANDING[kind], practice_id)) if kind in STANDING else 0


STANDING_CLOSURES = "SELECT pims_id FROM closure WHERE practice_id = $1 AND pims_id IS NOT NULL AND last >= $2"

STANDING_SET_UP = """
SELECT 'resource' AS kind, pims_id FROM resource WHERE practice_id = $1 AND pims_id IS NOT NULL AND active
UNION ALL
SELECT 'appointmenttype', pims_id FROM appointment_type WHERE practice_id = $1 AND pims_id IS NOT NULL AND active
UNION ALL
SELECT 'planningrule', pims_id FROM rule WHERE practice_id = $1 AND pims_id IS NOT NULL
"""


async def standing_set_up(conn: Connection, practice_id: UUID, kind: pims.RecordKind, today: date) -> set[str]:
    """Return what a listing of columns, types, rules or closures (past ones left out) is to have."""
    if kind == "closure":
        return {row["pims_id"] for row in await conn.fetch(STANDING_CLOSURES, practice_id, today)}
    return {row["pims_id"] for row in await conn.fetch(STANDING_SET_UP, practice_id) if row["kind"] == kind}


class ClosedTime(Struct, frozen=True, kw_only=True):
    """A block-off of the PIMS: of which of its columns, when."""

    pims_id: str
    resource: str
    time: Recurring
    reason: str


BLOCK_OFFS = """
SELECT b.pims_id, r.pims_id AS resource, b."time", b.reason
FROM block_off b JOIN resource r ON r.practice_id = b.practice_id AND r.resource_id = b.resource_id
WHERE b.practice_id = $1 AND b.pims_id IS NOT NULL AND r.pims_id IS NOT NULL
"""


async def block_offs(conn: Connection, practice_id: UUID) -> list[ClosedTime]:
    """Return the block-offs that the PIMS has."""
    return many(await conn.fetch(BLOCK_OFFS, practice_id), ClosedTime)
