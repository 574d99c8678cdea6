"""Pages: what an agent pushes is kept, whole and in the order of its cursors, until sync has read past it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from booking.agents.lease import feeds_of, keep_line
from booking.db import agent_pages, connections, feeds
from booking.db.agent_pages import BEGINNING
from booking.db.agents import Agent
from booking.db.pool import Connection, Pool, of_practice
from pims_adapters._agent.protocol import Page

MOST_PAGES_WAITING = 500
MOST_BYTES_WAITING = 64 * 1024 * 1024


class AnotherCursor(Exception):
    """Another page is to come first. Go on from `cursor`; null is the feed's beginning."""

    def __init__(self, cursor: str | None) -> None:
        """Say from where to go on."""
        super().__init__(self.__doc__)
        self.cursor = cursor


class PageRefused(Exception):
    """This page cannot be kept. Push feeds that the welcome names, each page with rows under a cursor of its own."""


class BacklogFull(Exception):
    """Many pages of this feed wait to be read. Push this one again in a while; nothing is lost."""

    headers = {"retry-after": "30"}  # noqa: RUF012 - nobody changes it


async def keep_page(pool: Pool, agent: Agent, page: Page, *, now: datetime) -> str | None:
    """Keep a page, or acknowledge one that is kept already; the cursor to go on from.

    Raises `AnotherCursor`, `PageRefused`, `BacklogFull`, and what `keep_line` does.
    """
    async with of_practice(pool, agent.practice_id) as conn, conn.transaction():
        await keep_line(conn, agent, page.instance, now=now)
        connection = await connections.connection_of(conn, agent.practice_id)
        if connection is None or page.feed not in {one.name for one in feeds_of(connection.adapter)}:
            raise PageRefused(f"There is no feed {page.feed!r} to push to.")
        feed = await agent_pages.lock_feed(conn, agent.practice_id, agent.connection_id, page.feed)
        if page.cursor == page.after and page.rows:
            raise PageRefused("A page with rows needs another cursor than the one it follows.")
        if (page.after or BEGINNING) == feed.head:
            await _keep(conn, agent, page, now)
        elif page.cursor != feed.head or page.cursor == page.after:
            raise AnotherCursor(feed.head or None)
    return page.cursor


async def _keep(conn: Connection, agent: Agent, page: Page, now: datetime) -> None:
    of = agent.practice_id, agent.connection_id, page.feed
    as_of = by_our_clock(page, now)
    if page.cursor != page.after:
        waiting = await agent_pages.backlog(conn, *of)
        if waiting.pages >= MOST_PAGES_WAITING or waiting.bytes >= MOST_BYTES_WAITING:
            raise BacklogFull(BacklogFull.__doc__)
        kept = await agent_pages.keep_page(
            conn,
            *of,
            after=page.after or BEGINNING,
            cursor=page.cursor,
            more=page.more,
            as_of=as_of,
            rows=msgspec.json.encode(page.rows),
        )
        if not kept:
            raise PageRefused("This cursor was an earlier page's: the feed would go in a circle.")
    await agent_pages.move_head(conn, *of, page.cursor, None if page.more else as_of)
    # A page that only says that nothing is new, too: the mirror is as fresh as it was last read.
    await feeds.ask_at_once(conn, agent.practice_id, now, page.feed)


def by_our_clock(page: Page, now: datetime) -> datetime:
    """Return the instant that a page shows: by the agent's clock so long ago, hence by ours, and never to come."""
    return now - max(page.clock - page.as_of, timedelta())
