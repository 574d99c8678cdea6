"""A connection to a PIMS that is live, for practices that tests add without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from booking.db import connections
from booking.db.connections import Connection
from booking.db.pool import Pool, across_practices


async def connect_pims(pool: Pool, practice_id: UUID) -> UUID:
    """Give a practice a PIMS that is live and was read just now; the connection's id."""
    connection = Connection(
        practice_id=practice_id,
        connection_id=uuid4(),
        adapter="demo",
        settings={},
        status="live",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    async with across_practices(pool) as conn:
        await connections.put_connection(conn, connection)
        as_of = datetime.now(UTC) - timedelta(seconds=12)
        await conn.execute("UPDATE connection SET as_of = $2 WHERE practice_id = $1", practice_id, as_of)
    return connection.connection_id
