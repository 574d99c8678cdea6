"""A thousand practices of the demo's size, copied inside the database: every row once more, under ids of its own."""

from __future__ import annotations

from uuid import UUID

import asyncpg

COPIED = ("practice", "connection", "resource", "closure", "block_off", "rule", "appointment_type", "client",
          "client_contact", "patient", "appointment", "claim")  # fmt: skip
"""In the order in which they refer to each other."""

COLUMNS = """
SELECT column_name, data_type, is_generated FROM information_schema.columns
WHERE table_schema = current_schema AND table_name = $1 ORDER BY ordinal_position
"""
COPY_ID = "md5({0}::text || $1::text)::uuid"


async def copy_practices(conn: asyncpg.Connection, original: UUID, copies: range) -> None:
    """Add copies of a practice. Copy n has the slug `copy-n` and, for each id, the md5 of that id and n.

    Ids inside JSON (who serves an appointment) are left as they are: nothing that is measured reads them.
    """
    await conn.execute("SET vetslot.practice_id = '*'")
    for table in COPIED:
        columns = [row for row in await conn.fetch(COLUMNS, table) if row["is_generated"] == "NEVER"]
        names = ", ".join(f'"{row["column_name"]}"' for row in columns)
        values = ", ".join(_copied(table, row["column_name"], row["data_type"]) for row in columns)
        statement = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE practice_id = $2"
        await conn.executemany(statement, [(str(number), original) for number in copies])
    await conn.execute("ANALYZE")


def copied_id(original: UUID, number: int) -> str:
    """Return the id in copy n of what has this id in the original: as PostgreSQL makes it."""
    from hashlib import md5  # noqa: PLC0415 - as above

    return str(UUID(md5(f"{original}{number}".encode(), usedforsecurity=False).hexdigest()))


def _copied(table: str, column: str, type_: str) -> str:
    quoted = f'"{column}"'
    if table == "practice" and column == "slug":
        return "'copy-' || $1::text"
    if type_ == "uuid":
        return COPY_ID.format(quoted)
    if type_ == "ARRAY" and column in ("appointment_types", "resources"):
        each = COPY_ID.format("one")
        return f"(SELECT array_agg({each}) FROM unnest({quoted}) AS one)"
    return quoted
