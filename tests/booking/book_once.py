"""A process that books once when it is told to: somebody else kills it on the way. See `test_book_interrupted`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.book import Booking, book
from booking.db.pool import across_practices, connect
from booking.db.practices import practice_by_id
from tests.booking.steps import SITE


class Order(Struct, frozen=True, kw_only=True):
    """What to book, where, and under which key."""

    database_url: str
    practice_id: UUID
    booking: Booking
    key: str
    now: datetime


async def main() -> None:
    """Get ready, say so, wait for a word, book."""
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    pool = await connect(order.database_url, max_size=1)
    async with across_practices(pool) as conn:
        practice = await practice_by_id(conn, order.practice_id)
    assert practice is not None
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    await book(pool, practice, order.booking, key=order.key, site=SITE, now=order.now)
    sys.stdout.write("booked\n")


if __name__ == "__main__":
    asyncio.run(main())
