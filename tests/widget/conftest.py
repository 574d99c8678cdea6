"""A practice, and a person without scripts at its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from booking.db.pool import Pool
from tests.widget.cedar_hill import CedarHill, Person, open_cedar_hill
from tests.widget.oak_lane import browser_of, settings_of


@pytest.fixture
async def cedar_hill(pool: Pool) -> CedarHill:
    """Return a practice whose types may be booked."""
    return await open_cedar_hill(pool)


@pytest.fixture
async def person(cedar_hill: CedarHill, database_url: str, redis_url: str) -> AsyncIterator[Person]:
    """Return somebody at the pages of the real application."""
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        yield Person(browser, cedar_hill)
