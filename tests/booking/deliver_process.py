"""A process that delivers what is due until somebody kills it. See `test_write_back_proof`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.db.pool import connect
from booking.write_back import deliver_due
from tests.booking.steps import SITE
from tests.demo_clinic import opened


class Order(Struct, frozen=True, kw_only=True):
    """What to deliver from, to which PIMS, and when that is."""

    database_url: str
    practice_id: UUID
    settings: dict[str, str]
    now: datetime


async def main() -> None:
    """Get ready, say so, deliver."""
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    pool = await connect(order.database_url, max_size=6)
    adapter = opened(order.settings)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await deliver_due(pool, adapter, order.practice_id, site=SITE, clock=lambda: order.now)


if __name__ == "__main__":
    asyncio.run(main())
