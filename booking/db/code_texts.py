"""How many texts with codes were sent on a day: of a practice, and of the whole installation."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from booking.db.pool import Connection, affected

COUNT = """
INSERT INTO code_text (practice_id, day, sent) SELECT $1, $2, 1 WHERE $3::integer > 0
ON CONFLICT (practice_id, day) DO UPDATE SET sent = code_text.sent + 1 WHERE code_text.sent < $3::integer
"""


async def count_text(conn: Connection, practice_id: UUID, day: date, at_most: int) -> bool:
    """Count one more text of a practice; False, and nothing counted, where there were so many already."""
    return affected(await conn.execute(COUNT, practice_id, day, at_most)) == 1


COUNT_IN_TOTAL = """
INSERT INTO code_text_total (day, sent) SELECT $1, 1 WHERE $2::integer > 0
ON CONFLICT (day) DO UPDATE SET sent = code_text_total.sent + 1 WHERE code_text_total.sent < $2::integer
"""


async def count_text_in_total(conn: Connection, day: date, at_most: int) -> bool:
    """Count one more text of the installation. The row stays locked until the transaction ends: count last."""
    return affected(await conn.execute(COUNT_IN_TOTAL, day, at_most)) == 1


# Across practices: housekeeping.
FORGET_OLD_COUNTS = "DELETE FROM code_text WHERE day < $1"


async def forget_old_counts(conn: Connection, before: date) -> int:
    """Delete what practices counted on days long past; the totals, a row a day, are kept."""
    return affected(await conn.execute(FORGET_OLD_COUNTS, before))
