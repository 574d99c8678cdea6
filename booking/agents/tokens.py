"""Tokens: what lets an agent in as the voice of one connection's PIMS. We keep a digest; the token is shown once."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from uuid import UUID

from booking.db import agents, connections
from booking.db.agents import Agent
from booking.db.pool import Connection, Pool, of_practice
from booking.db.staff import record_change
from booking.tokens import digest, sealed, unsealed
from pims_adapters import system_of

# Long enough to enter the next token where the agent runs, without a gap.
PREVIOUS_WORKS_FOR = timedelta(days=1)


class NoAgentNeeded(Exception):
    """There is no connection that speaks through an agent. Please connect such a PIMS first."""


class AgentUnknown(Exception):
    """This token does not let an agent in. Please have the practice issue one and enter it where the agent runs."""

    headers = {"www-authenticate": "Bearer"}  # noqa: RUF012 - nobody changes it


async def issue_token(
    conn: Connection, practice_id: UUID, connection_id: UUID, *, by: UUID, secret_key: bytes, now: datetime
) -> tuple[int, str]:
    """Issue a token in the caller's transaction: its generation, and the token. The one before works for a day more.

    Raises `NoAgentNeeded` where the connection has no agent.
    """
    connection = await connections.connection_of(conn, practice_id)
    if connection is None or connection.connection_id != connection_id or not system_of(connection.adapter).agent:
        raise NoAgentNeeded(NoAgentNeeded.__doc__)
    generation = await agents.lock_generation(conn, practice_id, connection_id) + 1
    await agents.put_token(
        conn,
        practice_id,
        connection_id,
        generation=generation,
        digest=digest(_secret(secret_key, practice_id, connection_id, generation)),
        now=now,
        previous_until=now + PREVIOUS_WORKS_FOR,
    )
    await _note(conn, practice_id, connection_id, {"token": generation}, by, now)
    return generation, token_again(secret_key, practice_id, connection_id, generation)


def token_again(secret_key: bytes, practice_id: UUID, connection_id: UUID, generation: int) -> str:
    """Return a token for whoever repeats the request that issued it: it can be made again, so it is not stored."""
    return sealed("ag", practice_id, _secret(secret_key, practice_id, connection_id, generation))


async def revoke_token(conn: Connection, practice_id: UUID, connection_id: UUID, *, by: UUID, now: datetime) -> bool:
    """Let the connection's agent in no more, in the caller's transaction; False where it was not let in anyway."""
    revoked = await agents.revoke_token(conn, practice_id, connection_id)
    if revoked:
        await _note(conn, practice_id, connection_id, {"token": None}, by, now)
    return revoked


async def agent_of(pool: Pool, token: str, *, now: datetime) -> Agent:
    """Return the agent that a bearer token lets in. Raises `AgentUnknown`."""
    named = unsealed("ag", token)
    if named is None:
        raise AgentUnknown(AgentUnknown.__doc__)
    practice_id, secret = named
    async with of_practice(pool, practice_id) as conn:
        agent = await agents.agent_of_token(conn, practice_id, digest(secret), now)
    if agent is None:
        raise AgentUnknown(AgentUnknown.__doc__)
    return agent


async def agent_seen(conn: Connection, practice_id: UUID, connection_id: UUID) -> Agent | None:
    """Return what is known of a connection's agent; None before a token was issued for it."""
    return await agents.agent_of(conn, practice_id, connection_id)


async def _note(
    conn: Connection, practice_id: UUID, connection_id: UUID, after: dict[str, int | None], by: UUID, now: datetime
) -> None:
    await record_change(
        conn, practice_id, actor_id=by, what="agent", subject_id=connection_id, before=None, after=after, now=now
    )


def _secret(secret_key: bytes, practice_id: UUID, connection_id: UUID, generation: int) -> str:
    which = b"agent/" + practice_id.bytes + connection_id.bytes + str(generation).encode()
    return urlsafe_b64encode(hmac.digest(secret_key, which, "sha256")).decode().rstrip("=")
