"""What each step of connecting a PIMS has found or decided, in the connection's row."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.connect.mapping import ImportSettings, Mapping
from booking.connect.survey import Survey
from booking.db.connections import Status
from booking.db.pool import Connection, affected, many, one


class PracticeInformation(Struct, frozen=True, kw_only=True):
    """What the third party, or whoever installs the agent, needs to know."""

    name: str
    address: str
    phone: str
    contact_name: str
    contact_email: str


class Terms(Struct, frozen=True, kw_only=True):
    """Which terms were accepted, when, and by whom."""

    version: str
    accepted_at: datetime
    accepted_by: UUID


class Found(Struct, frozen=True, kw_only=True):
    """What a check of address and credentials came to: who the PIMS says it is, or why it did not answer."""

    at: datetime
    pims_id: str = ""
    name: str = ""
    timezone: str = ""
    version: str = ""
    problem: str | None = None


class Steps(Struct, frozen=True, kw_only=True):
    """A connection with all that its steps know. `sealed`: the credentials, encrypted."""

    practice_id: UUID
    connection_id: UUID
    adapter: str
    status: Status
    settings: dict[str, str]
    sealed: bytes | None
    practice_information: PracticeInformation | None
    terms: Terms | None
    practice_identifier: str | None
    checked: Found | None
    mapping: Mapping | None
    import_settings: ImportSettings | None
    survey: Survey | None
    survey_due_at: datetime | None
    survey_failure: str | None
    conflicts_accepted: bool
    paused_because: str | None
    failure: str | None
    failing_since: datetime | None
    as_of: datetime | None

    @property
    def maps(self) -> Mapping:
        """What was decided; before that, everything is taken over as it is."""
        return self.mapping or Mapping()


COLUMNS = """practice_id, connection_id, adapter, status, settings, sealed, practice_information, terms,
  practice_identifier, checked, mapping, import_settings, survey, survey_due_at, survey_failure, conflicts_accepted,
  paused_because, failure, failing_since, as_of"""

STEPS = f"SELECT {COLUMNS} FROM connection WHERE practice_id = $1"
LOCK_STEPS = f"{STEPS} FOR NO KEY UPDATE"


async def steps_of(conn: Connection, practice_id: UUID) -> Steps | None:
    """Return the practice's connection, if it has begun one."""
    return one(await conn.fetchrow(STEPS, practice_id), Steps)


async def lock_steps(conn: Connection, practice_id: UUID) -> Steps | None:
    """Return the practice's connection, kept from others until the transaction ends."""
    return one(await conn.fetchrow(LOCK_STEPS, practice_id), Steps)


INSERT = """
INSERT INTO connection (practice_id, connection_id, adapter, settings, status, practice_information, terms)
VALUES ($1, $2, $3, '{}', $4, $5, $6)
ON CONFLICT ON CONSTRAINT connection_of_practice_unique DO NOTHING
"""


async def begin(
    conn: Connection,
    practice_id: UUID,
    connection_id: UUID,
    *,
    adapter: str,
    status: Status,
    practice_information: PracticeInformation,
    terms: Terms,
) -> bool:
    """Begin a connection. False: the practice has one."""
    done = await conn.execute(INSERT, practice_id, connection_id, adapter, status, practice_information, terms)
    return affected(done) == 1


SET_STATUS = """
UPDATE connection SET status = $2, paused_because = $3, failure = NULL, failing_since = NULL WHERE practice_id = $1
"""


async def set_status(conn: Connection, practice_id: UUID, status: Status, *, because: str | None = None) -> None:
    """Say how far the connection has come; `because`: why it is paused."""
    await conn.execute(SET_STATUS, practice_id, status, because)


SET_SETTINGS = """
UPDATE connection SET settings = $2, sealed = $3, practice_identifier = $4, checked = NULL, survey = NULL
WHERE practice_id = $1
"""


async def set_settings(
    conn: Connection, practice_id: UUID, settings: dict[str, str], sealed: bytes | None, identifier: str | None
) -> None:
    """Keep what was entered to connect; what was found with other settings no longer counts."""
    await conn.execute(SET_SETTINGS, practice_id, settings, sealed, identifier)


SET_CHECKED = "UPDATE connection SET checked = $2 WHERE practice_id = $1"


async def set_checked(conn: Connection, practice_id: UUID, checked: Found) -> None:
    """Keep what the last check came to."""
    await conn.execute(SET_CHECKED, practice_id, checked)


SET_MAPPING = "UPDATE connection SET mapping = $2, conflicts_accepted = false WHERE practice_id = $1"


async def set_mapping(conn: Connection, practice_id: UUID, mapping: Mapping) -> None:
    """Keep which of the PIMS's things are which of ours."""
    await conn.execute(SET_MAPPING, practice_id, mapping)


SET_IMPORT = "UPDATE connection SET import_settings = $2 WHERE practice_id = $1"


async def set_import(conn: Connection, practice_id: UUID, settings: ImportSettings) -> None:
    """Keep when and how much is imported."""
    await conn.execute(SET_IMPORT, practice_id, settings)


ACCEPT_CONFLICTS = "UPDATE connection SET conflicts_accepted = true WHERE practice_id = $1"


async def accept_conflicts(conn: Connection, practice_id: UUID) -> None:
    """Remember that staff have seen the conflicts and go on."""
    await conn.execute(ACCEPT_CONFLICTS, practice_id)


ASK_SURVEY = "UPDATE connection SET survey_due_at = $2, survey_failure = NULL WHERE practice_id = $1"


async def ask_survey(conn: Connection, practice_id: UUID, now: datetime) -> None:
    """Have a worker read the PIMS."""
    await conn.execute(ASK_SURVEY, practice_id, now)


# Across practices: a worker serves them all. Whoever takes one is given time; if it dies, another one takes it then.
TAKE_SURVEY = """
UPDATE connection SET survey_due_at = $2 WHERE (practice_id, connection_id) IN (
  SELECT practice_id, connection_id FROM connection WHERE survey_due_at <= $1
  ORDER BY survey_due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING practice_id
"""


async def take_survey(conn: Connection, now: datetime, until: datetime) -> UUID | None:
    """Take one practice whose PIMS is to be surveyed, for this worker alone until then."""
    row = await conn.fetchrow(TAKE_SURVEY, now, until)
    return None if row is None else row["practice_id"]


PUT_SURVEY = """
UPDATE connection SET survey = coalesce($2, survey), survey_failure = $3, survey_due_at = NULL,
  conflicts_accepted = false
WHERE practice_id = $1
"""


async def put_survey(conn: Connection, practice_id: UUID, survey: Survey | None, failure: str | None) -> None:
    """Keep what was found, or why nothing was."""
    await conn.execute(PUT_SURVEY, practice_id, survey, failure)


LINK_RESOURCE = """
UPDATE resource SET pims_id = $3 WHERE practice_id = $1 AND resource_id = $2
  AND NOT EXISTS (SELECT FROM resource r WHERE r.practice_id = $1 AND r.pims_id = $3)
"""


async def link_resource(conn: Connection, practice_id: UUID, resource_id: UUID, pims_id: str) -> None:
    """Say that a resource of ours is a column of the PIMS."""
    await conn.execute(LINK_RESOURCE, practice_id, resource_id, pims_id)


LINK_TYPE = """
UPDATE appointment_type SET pims_id = $3 WHERE practice_id = $1 AND appointment_type_id = $2
  AND NOT EXISTS (SELECT FROM appointment_type t WHERE t.practice_id = $1 AND t.pims_id = $3)
"""


async def link_type(conn: Connection, practice_id: UUID, appointment_type_id: UUID, pims_id: str) -> None:
    """Say that a type of ours is one of the PIMS."""
    await conn.execute(LINK_TYPE, practice_id, appointment_type_id, pims_id)


UNLINK = """
WITH resources AS (UPDATE resource SET pims_id = NULL WHERE practice_id = $1 AND pims_id = ANY($2::text[]))
UPDATE appointment_type SET pims_id = NULL WHERE practice_id = $1 AND pims_id = ANY($3::text[])
"""


async def unlink(conn: Connection, practice_id: UUID, resources: list[str], types: list[str]) -> None:
    """Take back which things of ours were which of the PIMS."""
    await conn.execute(UNLINK, practice_id, resources, types)


class Taken(Struct, frozen=True, kw_only=True):
    """A future visit that was booked with us, on a resource."""

    resource_id: UUID
    starts_at: datetime
    ends_at: datetime
    pims_id: str | None


OURS_AHEAD = """
SELECT c.resource_id, c.starts_at, c.ends_at, a.pims_id
FROM claim c JOIN appointment a ON a.practice_id = c.practice_id AND a.appointment_id = c.appointment_id
WHERE c.practice_id = $1 AND c.ends_at > $2 AND a.source <> 'pims' ORDER BY c.starts_at LIMIT 20000
"""


async def ours_ahead(conn: Connection, practice_id: UUID, now: datetime) -> list[Taken]:
    """Return what was booked with us and is still to come."""
    return many(await conn.fetch(OURS_AHEAD, practice_id, now), Taken)
