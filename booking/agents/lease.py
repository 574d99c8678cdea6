"""Lease: which running agent has a practice's line. It is let in when what it says fits the connection, and one only.

An agent that is not heard for `LEASE` gives way to another; one that was wrongly set up is told why, and so are staff.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from booking.connect.steps import agent_came
from booking.db import agent_pages, agents, connections, practices
from booking.db.agents import Agent, Said
from booking.db.pool import Connection, Pool, of_practice
from booking.local_days import same_clock
from pims_adapters import contract as pims
from pims_adapters import system_of
from pims_adapters._agent import protocol

LEASE = timedelta(seconds=45)
TABLES: dict[pims.RecordKind, tuple[protocol.Table, ...]] = {
    "resource": ("staff", "room"),
    "closure": ("closure",),
    "blockoff": ("block",),
    "appointmenttype": ("type",),
    "client": ("client",),
    "patient": ("patient",),
    "appointment": ("appointment",),
    "vaccination": ("vaccine",),
    "reminder": ("reminder",),
}


class AgentRefused(Exception):
    """This agent does not fit the connection. Please have its settings compared with those of the practice."""


class ProtocolRefused(Exception):
    """We speak version 1 of the agent protocol. Please install an agent of that version."""


class AnotherAgent(Exception):
    """Another agent speaks for this practice. Stop one of them, or wait until the other was not heard for a while."""

    def __init__(self, wait: timedelta) -> None:
        """Say after how long to ask again."""
        super().__init__(self.__doc__)
        self.headers = {"retry-after": str(max(1, ceil(wait.total_seconds())))}


class HelloFirst(Exception):
    """This agent does not have the line, or no longer. Say hello first."""


async def greet(pool: Pool, agent: Agent, hello: protocol.Hello, *, now: datetime) -> protocol.Welcome:
    """Give an agent the line.

    Raises `ProtocolRefused`, `AgentRefused` (staff see the reason, too) and `AnotherAgent`.
    """
    async with of_practice(pool, agent.practice_id) as conn, conn.transaction():
        connection = await connections.connection_of(conn, agent.practice_id)
        practice = await practices.practice_by_id(conn, agent.practice_id)
        held = await agents.lock_agent(conn, agent.practice_id, agent.connection_id)
        if connection is None or practice is None or held is None:
            raise AgentRefused("The connection is no more. Please ask the practice.")
        feeds: tuple[protocol.FeedState, ...] = ()
        reason = _mismatch(hello, connection, practice, now)
        if reason is not None:
            await agents.refuse(conn, agent, reason, now)
            await connections.record_failure(conn, agent.practice_id, agent.connection_id, reason, now)
        elif _taken(held, (hello.instance, hello.replaces), now):
            raise AnotherAgent((held.leased_until or now) - now)
        else:
            await agents.let_in(
                conn,
                agent,
                instance=hello.instance,
                until=now + LEASE,
                said=Said(
                    practice=hello.practice,
                    practice_name=hello.practice_name,
                    timezone=hello.timezone,
                    agent_version=hello.agent_version,
                    system_version=hello.system_version,
                ),
                skew=hello.clock - now,
                now=now,
            )
            await agent_came(conn, agent.practice_id)
            feeds = await _feeds(conn, connection)
    if reason is not None:
        raise (ProtocolRefused if hello.protocol != protocol.VERSION else AgentRefused)(reason)
    return protocol.Welcome(feeds=feeds, lease_seconds=int(LEASE.total_seconds()), server_time=now)


async def keep_line(conn: Connection, agent: Agent, instance: str, *, now: datetime) -> None:
    """Let the instance that has the line keep it. Raises `AnotherAgent` and `HelloFirst`."""
    if await agents.renew(conn, agent, instance, until=now + LEASE, now=now):
        return
    held = await agents.agent_of(conn, agent.practice_id, agent.connection_id)
    if held is not None and _taken(held, (instance,), now):
        raise AnotherAgent((held.leased_until or now) - now)
    raise HelloFirst(HelloFirst.__doc__)


async def leave(pool: Pool, agent: Agent, instance: str) -> None:
    """Free the line, if this instance has it."""
    async with of_practice(pool, agent.practice_id) as conn:
        await agents.let_go(conn, agent, instance)


def _taken(held: Agent, by: tuple[str | None, ...], now: datetime) -> bool:
    return (
        held.instance is not None
        and held.instance not in by
        and held.leased_until is not None
        and held.leased_until > now
    )


def _mismatch(
    hello: protocol.Hello, connection: connections.Connection, practice: practices.Practice, now: datetime
) -> str | None:
    """Say, in words for staff, what of an agent's hello does not fit the connection."""
    if hello.protocol != protocol.VERSION:
        which = "an older" if hello.protocol < protocol.VERSION else "a newer"
        return (
            f"The agent speaks {which} version of the agent protocol, {hello.protocol}; we speak {protocol.VERSION}. "
            f"Please install an agent of version {protocol.VERSION}."
        )
    if hello.system != connection.adapter:
        return f"The agent speaks for {hello.system!r}; the connection is one to {connection.adapter!r}."
    expected = connection.settings.get("practice", hello.practice)
    if hello.practice != expected:
        return f"The agent speaks for practice {hello.practice!r}; the connection is one to practice {expected!r}."
    if not same_clock(hello.timezone, practice.timezone, now):
        return (
            f"The agent's PIMS keeps the time of {hello.timezone!r}; the practice's is {practice.timezone!r}. "
            "Every appointment would be hours off. Please set the same zone on both sides."
        )
    return None


def feeds_of(adapter: str) -> tuple[pims.Feed, ...]:
    """Return the feeds that the adapter of this name reads."""
    feeds: tuple[pims.Feed, ...] = getattr(system_of(adapter).adapter, "feeds", ())
    return feeds


async def _feeds(conn: Connection, connection: connections.Connection) -> tuple[protocol.FeedState, ...]:
    """Return the feeds that the connection's adapter reads, each with the cursor to go on from."""
    heads = await agent_pages.feed_heads(conn, connection.practice_id, connection.connection_id)
    return tuple(
        protocol.FeedState(
            name=feed.name,
            tables=tuple(table for kind in feed.kinds for table in TABLES.get(kind, ())),
            cursor=(heads[feed.name].head or None) if feed.name in heads else None,
            every_seconds=int(feed.every.total_seconds()),
            at=feed.at,
        )
        for feed in feeds_of(connection.adapter)
    )
