"""Drift: how the mirror last compared with the PIMS."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, one
from pims_adapters.contract import RecordKind


class Difference(Struct, frozen=True, kw_only=True):
    """A record that differs: in some `fields`, or `here` or `there`, where only one side has it."""

    kind: RecordKind
    pims_id: str
    fields: list[str] = []
    only: str | None = None


class DriftReport(Struct, frozen=True, kw_only=True):
    """What was compared of some local days, and what differs: nothing is what it is to be.

    `complete` False: the PIMS could not list some of it. Of very many differences the first are named.
    """

    at: datetime
    first: date
    last: date
    complete: bool
    compared: int
    differing: int
    differences: list[Difference]


PUT_REPORT = """
INSERT INTO drift_report (practice_id, connection_id, at, first, last, complete, compared, differing, differences)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (practice_id, connection_id) DO UPDATE SET at = excluded.at, first = excluded.first,
  last = excluded.last, complete = excluded.complete, compared = excluded.compared, differing = excluded.differing,
  differences = excluded.differences
"""


async def put_report(conn: Connection, practice_id: UUID, connection_id: UUID, report: DriftReport) -> None:
    """Keep a report in place of the one before."""
    await conn.execute(
        PUT_REPORT,
        practice_id,
        connection_id,
        report.at,
        report.first,
        report.last,
        report.complete,
        report.compared,
        report.differing,
        report.differences,
    )


REPORT = """
SELECT at, first, last, complete, compared, differing, differences FROM drift_report
WHERE practice_id = $1 ORDER BY at DESC LIMIT 1
"""


async def last_report(conn: Connection, practice_id: UUID) -> DriftReport | None:
    """Return how the mirror of a practice last compared with its PIMS."""
    return one(await conn.fetchrow(REPORT, practice_id), DriftReport)
