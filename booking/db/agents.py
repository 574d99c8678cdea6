"""Agents: who may speak for a practice's PIMS, which running instance does, and what it said of itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, one


class Said(Struct, frozen=True, kw_only=True):
    """What an agent said of itself and its PIMS when it was last let in."""

    practice: str
    practice_name: str
    timezone: str
    agent_version: str
    system_version: str


class Agent(Struct, frozen=True, kw_only=True):
    """An agent without its token. `refused`: why it was turned away, unless it was let in since."""

    practice_id: UUID
    connection_id: UUID
    generation: int
    issued_at: datetime
    revoked: bool
    instance: str | None
    leased_until: datetime | None
    seen_at: datetime | None
    said_at: datetime | None
    said: Said | None
    skew: timedelta
    refused: str | None
    refused_at: datetime | None


COLUMNS = """practice_id, connection_id, generation, issued_at, token_hash IS NULL AS revoked, instance, leased_until,
  seen_at, said_at, said, skew, refused, refused_at"""

AGENT = f"SELECT {COLUMNS} FROM agent WHERE practice_id = $1 AND connection_id = $2"


async def agent_of(conn: Connection, practice_id: UUID, connection_id: UUID) -> Agent | None:
    """Return a connection's agent; None before a token was issued for it."""
    return one(await conn.fetchrow(AGENT, practice_id, connection_id), Agent)


LOCK_AGENT = f"{AGENT} FOR UPDATE"


async def lock_agent(conn: Connection, practice_id: UUID, connection_id: UUID) -> Agent | None:
    """Return a connection's agent, and let nobody else change it before this transaction ends."""
    return one(await conn.fetchrow(LOCK_AGENT, practice_id, connection_id), Agent)


AGENT_OF_TOKEN = f"""
SELECT {COLUMNS} FROM agent
WHERE practice_id = $1 AND (token_hash = $2 OR previous_hash = $2 AND previous_until > $3)
"""


async def agent_of_token(conn: Connection, practice_id: UUID, digest: bytes, now: datetime) -> Agent | None:
    """Find the agent whose token this is, or was until a moment ago."""
    return one(await conn.fetchrow(AGENT_OF_TOKEN, practice_id, digest, now), Agent)


GENERATION = "SELECT generation FROM agent WHERE practice_id = $1 AND connection_id = $2 FOR UPDATE"


async def lock_generation(conn: Connection, practice_id: UUID, connection_id: UUID) -> int:
    """Return how many tokens an agent was issued so far, and let nobody else issue one meanwhile."""
    return int(await conn.fetchval(GENERATION, practice_id, connection_id) or 0)


ISSUE = """
INSERT INTO agent (practice_id, connection_id, generation, token_hash, issued_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (practice_id, connection_id) DO UPDATE SET generation = $3, token_hash = $4, issued_at = $5,
  previous_hash = agent.token_hash, previous_until = $6
"""


async def put_token(
    conn: Connection,
    practice_id: UUID,
    connection_id: UUID,
    *,
    generation: int,
    digest: bytes,
    now: datetime,
    previous_until: datetime,
) -> None:
    """Let the agent in by another token, and by the one before for a while."""
    await conn.execute(ISSUE, practice_id, connection_id, generation, digest, now, previous_until)


# Whoever has the line loses it with the token: otherwise a revoked agent would keep others out.
REVOKE = """
UPDATE agent SET token_hash = NULL, previous_hash = NULL, previous_until = NULL, leased_until = NULL
WHERE practice_id = $1 AND connection_id = $2 AND token_hash IS NOT NULL
"""


async def revoke_token(conn: Connection, practice_id: UUID, connection_id: UUID) -> bool:
    """Let the agent in no more; False where it was not let in anyway."""
    return affected(await conn.execute(REVOKE, practice_id, connection_id)) == 1


LET_IN = """
UPDATE agent SET instance = $3, leased_until = $4, seen_at = $5, said_at = $5, said = $6, skew = $7, refused = NULL,
  refused_at = NULL
WHERE practice_id = $1 AND connection_id = $2
"""


async def let_in(
    conn: Connection, agent: Agent, *, instance: str, until: datetime, said: Said, skew: timedelta, now: datetime
) -> None:
    """Give an instance the line until its lease runs out."""
    await conn.execute(LET_IN, agent.practice_id, agent.connection_id, instance, until, now, said, skew)


REFUSE = "UPDATE agent SET refused = $3, refused_at = $4 WHERE practice_id = $1 AND connection_id = $2"


async def refuse(conn: Connection, agent: Agent, reason: str, now: datetime) -> None:
    """Remember why the agent was turned away."""
    await conn.execute(REFUSE, agent.practice_id, agent.connection_id, reason, now)


RENEW = """
UPDATE agent SET seen_at = $4, leased_until = $5 WHERE practice_id = $1 AND connection_id = $2 AND instance = $3
"""


async def renew(conn: Connection, agent: Agent, instance: str, *, until: datetime, now: datetime) -> bool:
    """Let the instance that has the line keep it; False where it is not this one."""
    return affected(await conn.execute(RENEW, agent.practice_id, agent.connection_id, instance, now, until)) == 1


LET_GO = """
UPDATE agent SET instance = NULL, leased_until = NULL WHERE practice_id = $1 AND connection_id = $2 AND instance = $3
"""


async def let_go(conn: Connection, agent: Agent, instance: str) -> None:
    """Free the line, if this instance has it."""
    await conn.execute(LET_GO, agent.practice_id, agent.connection_id, instance)
