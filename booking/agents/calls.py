"""Calls: the agent fetches what it is to do, waiting for it if need be, and reports what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from booking.agents.lease import keep_line
from booking.agents.wakes import Wakes, heard
from booking.db import agent_calls
from booking.db.agent_calls import Asked, Failure
from booking.db.agents import Agent
from booking.db.pool import Pool, of_practice
from pims_adapters._agent import protocol

log = structlog.get_logger()


class ResultRefused(Exception):
    """A result is either an answer or a failure. Report exactly one of them, under the id that the call came with."""


def topic_of_calls(connection_id: UUID) -> str:
    """Return what wakes an agent's long poll."""
    return f"calls/{connection_id}"


def topic_of_result(call_id: UUID) -> str:
    """Return what wakes whoever asked."""
    return f"result/{call_id}"


async def fetch_calls(
    pool: Pool, wakes: Wakes, agent: Agent, fetch: protocol.Fetch, *, clock: Callable[[], datetime]
) -> tuple[protocol.Call, ...]:
    """Return what is to be done, at once or as soon as something comes, within what the agent waits.

    Raises what `keep_line` does.
    """
    ends = clock() + timedelta(seconds=fetch.wait_seconds)
    async with of_practice(pool, agent.practice_id) as conn, conn.transaction():
        await keep_line(conn, agent, fetch.instance, now=clock())
    with wakes.hearing(topic_of_calls(agent.connection_id)) as word:
        while True:
            now = clock()
            async with of_practice(pool, agent.practice_id) as conn:
                found = await agent_calls.fetch(
                    conn,
                    agent.practice_id,
                    agent.connection_id,
                    instance=fetch.instance,
                    most=fetch.most,
                    holding=None if fetch.holding is None else list(fetch.holding),
                    now=now,
                )
            if found or now >= ends:
                return tuple(_shown(one, agent.skew) for one in found)
            await heard(word, ends - now)


def _shown(asked: Asked, skew: timedelta) -> protocol.Call:
    # By the agent's own clock: it cannot compare with ours.
    return protocol.Call(
        id=str(asked.call_id),
        call=msgspec.convert(asked.call, protocol.CallName),
        key=asked.key,
        deadline=asked.deadline + skew,
        body=msgspec.Raw(asked.body),
    )


async def keep_result(pool: Pool, agent: Agent, result: protocol.Result, *, now: datetime) -> None:
    """Keep what became of a call. One that nobody waits for any more is no error: its fate was looked for.

    Raises `ResultRefused`, and what `keep_line` does.
    """
    answer = None if isinstance(result.answer, msgspec.UnsetType) else bytes(result.answer)
    if answer == b"null":
        answer = None
    if (answer is None) == (result.failure is None):
        raise ResultRefused(ResultRefused.__doc__)
    try:
        call_id = UUID(result.id)
    except ValueError:
        raise ResultRefused("There is no call of this id.") from None
    failure = None if result.failure is None else msgspec.convert(result.failure, Failure, from_attributes=True)
    async with of_practice(pool, agent.practice_id) as conn, conn.transaction():
        await keep_line(conn, agent, result.instance, now=now)
        kept = await agent_calls.answer(
            conn,
            agent.practice_id,
            agent.connection_id,
            call_id,
            answer=answer,
            failure=failure,
            now=now,
        )
        if kept:
            await agent_calls.tell(conn, topic_of_result(call_id))
    if not kept:
        log.warning("agents.result_too_late", connection=str(agent.connection_id), call=str(call_id))
