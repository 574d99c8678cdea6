"""Connections: one practice's set-up of one PIMS adapter, and how far our mirror of the PIMS has come."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.connect.mapping import ImportSettings, Mapping
from booking.db.pool import Connection as Conn
from booking.db.pool import many, one
from pims_adapters.contract import Ability, DraftField

Status = Literal["requested", "activating", "ready_for_setup", "importing", "live", "paused"]


class Connection(Struct, frozen=True, kw_only=True):
    """A set-up adapter. `as_of`: our mirror shows the PIMS's schedule at that instant; `failure`: what hinders it.

    Both follow from how the connection's feeds stand (`feeds.derive`). `sealed`: the credentials, encrypted; `settings`
    has what is no secret.
    """

    practice_id: UUID
    connection_id: UUID
    adapter: str
    settings: dict[str, str]
    status: Status
    as_of: datetime | None
    failing_since: datetime | None
    failure: str | None
    sealed: bytes | None = None
    mapping: Mapping | None = None
    import_settings: ImportSettings | None = None

    @property
    def maps(self) -> Mapping:
        """Which of the PIMS's things are which of ours; where nobody said so, all is taken over as it is."""
        return self.mapping or Mapping()


COLUMNS = """practice_id, connection_id, adapter, settings, status, as_of, failing_since, failure, sealed,
  mapping, import_settings"""

# Across practices: a worker serves them all.
ALL_CONNECTIONS = f"""
SELECT {COLUMNS} FROM connection WHERE status IN ('importing', 'live') ORDER BY practice_id LIMIT 10000
"""


async def working_connections(conn: Conn) -> list[Connection]:
    """Return every connection that is to be kept in step."""
    return many(await conn.fetch(ALL_CONNECTIONS), Connection)


CONNECTION = f"SELECT {COLUMNS} FROM connection WHERE practice_id = $1 ORDER BY connection_id LIMIT 1"


async def connection_of(conn: Conn, practice_id: UUID) -> Connection | None:
    """Return the practice's connection, if it has one."""
    return one(await conn.fetchrow(CONNECTION, practice_id), Connection)


PUT_CONNECTION = """
INSERT INTO connection (practice_id, connection_id, adapter, settings, status) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (practice_id, connection_id)
DO UPDATE SET adapter = excluded.adapter, settings = excluded.settings, status = excluded.status
"""


async def put_connection(conn: Conn, connection: Connection) -> None:
    """Add a connection or change its settings; how far it has come stays."""
    await conn.execute(
        PUT_CONNECTION,
        connection.practice_id,
        connection.connection_id,
        connection.adapter,
        connection.settings,
        connection.status,
    )


FAIL = """
UPDATE connection SET failure = $3, failing_since = coalesce(failing_since, $4)
WHERE practice_id = $1 AND connection_id = $2
"""


async def record_failure(conn: Conn, practice_id: UUID, connection_id: UUID, failure: str, now: datetime) -> None:
    """Remember why the PIMS could not be read, and since when."""
    await conn.execute(FAIL, practice_id, connection_id, failure, now)


CHANGES_WRITTEN = "SELECT changes_written FROM connection WHERE practice_id = $1 ORDER BY connection_id LIMIT 1"


async def changes_written(conn: Conn, practice_id: UUID) -> int:
    """Return how often the PIMS has done something with an appointment on our word."""
    return int(await conn.fetchval(CHANGES_WRITTEN, practice_id) or 0)


COUNT_CHANGE_WRITTEN = "UPDATE connection SET changes_written = changes_written + 1 WHERE practice_id = $1"


async def count_change_written(conn: Conn, practice_id: UUID) -> None:
    """Note that pages read before now may show an appointment as it was."""
    await conn.execute(COUNT_CHANGE_WRITTEN, practice_id)


class Writes(Struct, frozen=True, kw_only=True):
    """What the practice's PIMS takes from us and asks of new records; `abilities` None: no worker has looked yet."""

    abilities: list[Ability] | None
    asks: list[DraftField]

    def can(self, ability: Ability) -> bool:
        """Say whether it has an ability, as far as we know."""
        return self.abilities is None or ability in self.abilities


WRITES = "SELECT abilities, asks FROM connection WHERE practice_id = $1 ORDER BY connection_id LIMIT 1"


async def writes_of(conn: Conn, practice_id: UUID) -> Writes | None:
    """Return what the practice's PIMS takes; None where there is no connection to one."""
    return one(await conn.fetchrow(WRITES, practice_id), Writes)


NOTE_ABILITIES = """
UPDATE connection SET abilities = $3, asks = $4
WHERE practice_id = $1 AND connection_id = $2 AND (abilities, asks) IS DISTINCT FROM ($3, $4)
"""


async def note_abilities(
    conn: Conn, practice_id: UUID, connection_id: UUID, abilities: list[Ability], asks: list[DraftField]
) -> None:
    """Note what an adapter can do and asks, where booking reads it without opening the adapter."""
    await conn.execute(NOTE_ABILITIES, practice_id, connection_id, abilities, asks)
