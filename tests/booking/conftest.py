"""Riverside as the demo sets it up, synced once from its PIMS; each test gets a copy of that database."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from booking.db import appointment_types, practices
from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Pool, across_practices, connect
from booking.db.practices import Practice
from booking.local_days import local_date
from booking.offers import OfferedSlot, offer
from tests.copies import copy_of
from tests.demo_clinic import SEED_DATE, DemoClinic, running_clinic
from widget.demo.riverside import PRACTICE_ID, set_up
from widget.embedded import PostgresServer

NOW = datetime(SEED_DATE.year, SEED_DATE.month, SEED_DATE.day, 1, 0, tzinfo=UTC)
TEMPLATE = "template_riverside"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Riverside:
    """A practice that is set up, in a database of this test's own."""

    pool: Pool
    practice: Practice
    types: dict[str, AppointmentType]
    clinic: DemoClinic
    database_url: str

    def wish(self, pims_id: str = "type-wellness", *patients: str, new_client: bool = False) -> Wish:
        type_id = self.types[pims_id].appointment_type_id
        return Wish(appointment_type_id=type_id, patients=patients or ("dog",), new_client=new_client)

    async def slots(self, wish: Wish, *, days: int = 14, now: datetime = NOW) -> list[OfferedSlot]:
        first = local_date(now, self.practice.timezone)
        found = await offer(self.pool, self.practice, wish, first, first + timedelta(days=days - 1), now=now)
        return [slot for day in found.days for slot in day.slots]


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoClinic]:
    """Return the demo PIMS that the template was synced from; tests that write or break something have their own."""
    with running_clinic(tmp_path_factory.mktemp("clinic") / "pims.sqlite3") as clinic:
        yield clinic


@pytest.fixture(scope="session")
async def riverside_template(postgres: PostgresServer, migrated_template: str, clinic: DemoClinic) -> str:
    """Return the name of a database with the practice as it stands after its first sync, fresh at `NOW`."""
    server = postgres.url.rsplit("/", 1)[0]
    await _run(postgres.url, copy_of(migrated_template, TEMPLATE))
    url = f"{server}/{TEMPLATE}"
    await set_up(
        database_url=url,
        pims_url=clinic.url,
        pims_key=clinic.settings["key"],
        host_origins=["http://127.0.0.1:1"],
        progress=lambda _line: None,
    )
    fresh = f"SET as_of = '{NOW.isoformat()}'"
    await _run(url, f"SET vetslot.practice_id = '*'; UPDATE connection {fresh}; UPDATE feed {fresh}")
    return TEMPLATE


@pytest.fixture
async def riverside(postgres: PostgresServer, riverside_template: str, clinic: DemoClinic) -> AsyncIterator[Riverside]:
    """Return a copy of the practice, connected to a PIMS that others look at too: read there, do not write."""
    name = f"riverside_{os.getpid()}_{next(_numbers)}"
    await _run(postgres.url, copy_of(riverside_template, name))
    url = f"{postgres.url.rsplit('/', 1)[0]}/{name}"
    pool = await connect(url, max_size=60)
    async with across_practices(pool) as conn:
        practice = await practices.practice_by_id(conn, PRACTICE_ID)
        types = await appointment_types.appointment_types(conn, PRACTICE_ID)
    assert practice is not None
    yield Riverside(pool, practice, {one.pims_id or "": one for one in types}, clinic, url)
    await pool.close()
    await _run(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def connected(riverside: Riverside, clinic: DemoClinic, tmp_path: Path) -> AsyncIterator[Riverside]:
    """Return a copy of the practice together with a PIMS of its own, to write to and to break."""
    assert clinic.state_file is not None
    for part in clinic.state_file.parent.glob(f"{clinic.state_file.name}*"):
        shutil.copy(part, tmp_path / part.name)
    with running_clinic(tmp_path / clinic.state_file.name) as own:
        async with across_practices(riverside.pool) as conn:
            await conn.execute("UPDATE connection SET settings = $1", own.settings)
        yield replace(riverside, clinic=own)


async def _run(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()
