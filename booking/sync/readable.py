"""Readable: recurring times that the engine can follow. One that it cannot would stop every answer of the practice.

On the safe side: a column with hours that cannot be read is not offered, a block-off closes its column from its start,
and a rule is left out. Staff are told of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from availability import Recurring
from availability.recurrence import RecurrenceError, occurrences
from booking.db import staff_tasks
from booking.db.pool import Connection
from booking.local_days import local_date
from booking.sync.mirror import Mirror
from pims_adapters import contract as pims

AHEAD = timedelta(days=62)


async def readable(conn: Connection, mirror: Mirror, record: pims.Change) -> pims.Change | None:
    """Return the record with times that can be followed; None where it has to be left out."""
    match record:
        case pims.Resource(hours=hours) if hours is not None and not _can_be_followed(mirror, hours):
            await _tell_staff(conn, mirror, "resource", record.pims_id, "so nobody is offered time there")
            return msgspec.structs.replace(record, hours=())
        case pims.BlockOff(time=at) if not _can_be_followed(mirror, (at,)):
            await _tell_staff(conn, mirror, "blockoff", record.pims_id, "so its column is closed from its start on")
            closed = pims.RecurringTime(
                starts=datetime.combine(at.starts, time()), duration=timedelta(days=1), rrule="FREQ=DAILY"
            )
            return msgspec.structs.replace(record, time=closed)
        case pims.PlanningRule(when=when) if not _can_be_followed(mirror, when):
            await _tell_staff(conn, mirror, "planningrule", record.pims_id, "so it is left out")
            return None
    return record


def _can_be_followed(mirror: Mirror, times: Iterable[pims.RecurringTime]) -> bool:
    zone, today = ZoneInfo(mirror.practice.timezone), local_date(mirror.now, mirror.practice.timezone)
    try:
        for one in times:
            occurrences(msgspec.convert(one, Recurring, from_attributes=True), zone, today, today + AHEAD)
    except (RecurrenceError, msgspec.ValidationError):
        return False
    return True


async def _tell_staff(conn: Connection, mirror: Mirror, kind: pims.RecordKind, pims_id: str, so: str) -> None:
    words = f"The times of {kind} number {pims_id} in the PIMS cannot be read, {so}. Please simplify them there."
    await staff_tasks.open_task(conn, mirror.practice_id, "unreadable", f"{kind} {pims_id}", words, mirror.now)
