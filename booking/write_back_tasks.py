"""Tasks of staff in the outbox: try a line again now, or take it from staff that they did it by hand in the PIMS."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from booking.db import write_backs
from booking.db.pool import Connection, Pool, of_practice
from booking.db.write_backs import Line


class WriteBackUnknown(Exception):
    """There is no such write-back. Please list them to see which there are."""


class WriteBackSettled(Exception):
    """This write-back is done, given up or just being sent, so there is nothing to do for it now."""


async def retry(pool: Pool, practice_id: UUID, write_back_id: UUID, *, now: datetime) -> Line:
    """Try a line now. The PIMS is asked first whether it has it already.

    Raises `WriteBackUnknown`, `WriteBackSettled`.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        line = await _line(conn, practice_id, write_back_id)
        if line.state not in ("needs_attention", "queued", "unknown"):
            raise WriteBackSettled(WriteBackSettled.__doc__)
        state: write_backs.State = "unknown" if line.state == "unknown" else "queued"
        await write_backs.retry(conn, practice_id, write_back_id, state, now)
        await write_backs.wake_workers(conn, "write_back")
        return await _line(conn, practice_id, write_back_id)


async def done_by_hand(
    pool: Pool, practice_id: UUID, write_back_id: UUID, *, pims_id: str | None, now: datetime
) -> Line:
    """Close a line that staff did in the PIMS themselves. `pims_id`: the identifier of what they entered there.

    Without it a record that was entered by hand comes back by sync as another one. Raises `WriteBackUnknown`,
    `WriteBackSettled`.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        line = await _line(conn, practice_id, write_back_id)
        if line.state != "needs_attention":
            raise WriteBackSettled(WriteBackSettled.__doc__)
        if pims_id is not None and line.action == "create":
            await write_backs.set_pims_id(conn, practice_id, line.kind, line.subject_id, pims_id)
        await write_backs.done_by_hand(conn, practice_id, write_back_id, now, "Done by hand.")
        await write_backs.wake_workers(conn, "write_back")
        return await _line(conn, practice_id, write_back_id)


async def _line(conn: Connection, practice_id: UUID, write_back_id: UUID) -> Line:
    found = await write_backs.lock_line(conn, practice_id, write_back_id)
    if found is None:
        raise WriteBackUnknown(WriteBackUnknown.__doc__)
    return found
