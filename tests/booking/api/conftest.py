"""A program at the JSON API of a practice without a PIMS, whose schedule is always fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from booking.db.pool import Pool
from tests.widget.cedar_hill import CedarHill, open_cedar_hill
from tests.widget.oak_lane import browser_of, settings_of


@pytest.fixture
async def cedar_hill(pool: Pool) -> CedarHill:
    """Return a practice with two providers who share one room."""
    return await open_cedar_hill(pool)


@pytest.fixture
async def api(cedar_hill: CedarHill, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a program at the real application."""
    async with browser_of(settings_of(database_url, redis_url)) as client:
        yield client
