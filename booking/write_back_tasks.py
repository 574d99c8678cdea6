"""Tasks of staff in the outbox: try a line again, say which record of the PIMS it is, or that it was done by hand."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from booking.db import linking, outbox, write_backs
from booking.db.outbox import Line
from booking.db.pool import Connection, Pool, of_practice
from booking.linking import identify


class WriteBackUnknown(Exception):
    """There is no such write-back. Please list them to see which there are."""


class RecordTaken(Exception):
    """In the PIMS this record belongs to another booking. Please check its identifier."""


class NotLinkable(Exception):
    """Only what was to be created can be said to be a record of the PIMS. Please mark this as done instead."""


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
        await outbox.retry(conn, practice_id, write_back_id, now)
        await write_backs.wake_workers(conn, "write_back")
        return await _line(conn, practice_id, write_back_id)


async def relink(pool: Pool, practice_id: UUID, write_back_id: UUID, *, pims_id: str, now: datetime) -> Line:
    """Take it from staff which record of the PIMS this is. It is read there next, and taken where nothing is wrong.

    Raises `WriteBackUnknown`, `WriteBackSettled`, `NotLinkable`, and `RecordTaken` where we know it is another's.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        line = await _line(conn, practice_id, write_back_id)
        if line.action != "create" or line.kind == "conversation":
            raise NotLinkable(NotLinkable.__doc__)
        if line.state not in ("needs_attention", "queued", "unknown"):
            raise WriteBackSettled(WriteBackSettled.__doc__)
        holder = await linking.holder_of(conn, practice_id, line.kind, pims_id)
        if holder is not None and not holder.mirrored and holder.id != line.subject_id:
            raise RecordTaken(RecordTaken.__doc__)
        await outbox.retry(conn, practice_id, write_back_id, now, link_to=pims_id)
        await write_backs.wake_workers(conn, "write_back")
        return await _line(conn, practice_id, write_back_id)


async def done_by_hand(
    pool: Pool, practice_id: UUID, write_back_id: UUID, *, pims_id: str | None, now: datetime
) -> Line:
    """Close a line that staff did in the PIMS themselves. `pims_id`: the identifier of what they entered there.

    Without it a record that was entered by hand comes back by sync as another one. Raises `WriteBackUnknown`,
    `WriteBackSettled`, and `RecordTaken` where it is another booking's.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        line = await _line(conn, practice_id, write_back_id)
        if line.state != "needs_attention":
            raise WriteBackSettled(WriteBackSettled.__doc__)
        if (
            pims_id is not None
            and line.action == "create"
            and line.kind != "conversation"
            and not await identify(conn, practice_id, line.kind, line.subject_id, pims_id)
        ):
            raise RecordTaken(RecordTaken.__doc__)
        await outbox.done_by_hand(conn, practice_id, write_back_id, now, "Done by hand.")
        await write_backs.release(conn, practice_id, line.subject_id, now)
        await write_backs.wake_workers(conn, "write_back")
        return await _line(conn, practice_id, write_back_id)


async def _line(conn: Connection, practice_id: UUID, write_back_id: UUID) -> Line:
    found = await outbox.lock_line(conn, practice_id, write_back_id)
    if found is None:
        raise WriteBackUnknown(WriteBackUnknown.__doc__)
    return found
