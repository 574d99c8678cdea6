"""Reading feeds in tests."""

from __future__ import annotations

from pims_adapters.contract import Change
from pims_adapters.ezyvet.adapter import EzyVetAdapter


async def read(adapter: EzyVetAdapter, feed: str, cursor: str | None = None) -> tuple[list[Change], str]:
    """Read a feed to its end: what it brought, and the cursor there."""
    changes: list[Change] = []
    while True:
        page = await adapter.changes(feed, cursor)
        changes += page.changes
        cursor = page.cursor
        if not page.more:
            return changes, cursor


async def news(adapter: EzyVetAdapter, feed: str, cursor: str) -> list[Change]:
    return (await read(adapter, feed, cursor))[0]
