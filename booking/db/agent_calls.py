"""Calls to agents: asked, fetched, answered. Under a key there is one, until it is known that it did not happen."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, many, one


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a call was not done, in the contract's kinds of errors."""

    kind: str
    reason: str
    taken: bool = False
    outcome_unknown: bool = False


class Asked(Struct, frozen=True, kw_only=True):
    """Something that an agent is to do."""

    call_id: UUID
    call: str
    key: str | None
    body: bytes
    deadline: datetime


class Fate(Struct, frozen=True, kw_only=True):
    """What became of a call so far."""

    call_id: UUID
    deadline: datetime
    fetched_at: datetime | None
    answer: bytes | None
    failure: Failure | None

    @property
    def may_be_done(self) -> bool:
        """Say whether an agent had it and has not said that nothing came of it."""
        return self.fetched_at is not None and (self.failure is None or self.failure.outcome_unknown)


FATE = "call_id, deadline, fetched_at, answer, failure"

# Under a key that was asked for before, only where that is known not to have been done: never fetched in time, or
# failed with a known outcome. `$9`: doing it twice does no more than doing it once, so that late or answered will do.
ASK = f"""
INSERT INTO agent_call AS c (practice_id, connection_id, call_id, call, key, body, asked_at, deadline)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (practice_id, connection_id, call, key) WHERE key IS NOT NULL DO UPDATE SET
  call_id = $3, body = $6, asked_at = $7, deadline = $8, fetched_at = NULL, instance = NULL, answered_at = NULL,
  answer = NULL, failure = NULL
WHERE c.fetched_at IS NULL AND c.deadline <= $7
  OR c.failure IS NOT NULL AND NOT coalesce((c.failure ->> 'outcome_unknown')::boolean, false)
  OR $9 AND (c.answered_at IS NOT NULL OR c.deadline <= $7)
RETURNING {FATE}
"""


async def ask(
    conn: Connection, practice_id: UUID, connection_id: UUID, asked: Asked, *, repeatable: bool, now: datetime
) -> Fate | None:
    """Ask an agent to do something; None where it was asked under this key and may have done it."""
    row = await conn.fetchrow(
        ASK,
        practice_id,
        connection_id,
        asked.call_id,
        asked.call,
        asked.key,
        asked.body,
        now,
        asked.deadline,
        repeatable,
    )
    return one(row, Fate)


UNDER_KEY = f"""
SELECT {FATE} FROM agent_call WHERE practice_id = $1 AND connection_id = $2 AND call = $3 AND key = $4
"""


async def under_key(conn: Connection, practice_id: UUID, connection_id: UUID, call: str, key: str) -> Fate | None:
    """Return what became of what was asked under a key."""
    return one(await conn.fetchrow(UNDER_KEY, practice_id, connection_id, call, key), Fate)


FATE_OF = f"SELECT {FATE} FROM agent_call WHERE practice_id = $1 AND connection_id = $2 AND call_id = $3"


async def fate_of(conn: Connection, practice_id: UUID, connection_id: UUID, call_id: UUID) -> Fate | None:
    """Return what became of a call; None where it was withdrawn."""
    return one(await conn.fetchrow(FATE_OF, practice_id, connection_id, call_id), Fate)


WITHDRAW = """
DELETE FROM agent_call WHERE practice_id = $1 AND connection_id = $2 AND call_id = $3 AND fetched_at IS NULL
"""


async def withdraw(conn: Connection, practice_id: UUID, connection_id: UUID, call_id: UUID) -> bool:
    """Take a call back that nobody has fetched; False where somebody has."""
    return affected(await conn.execute(WITHDRAW, practice_id, connection_id, call_id)) == 1


FORGET = "DELETE FROM agent_call WHERE practice_id = $1 AND connection_id = $2 AND call_id = $3 AND key IS NULL"


async def forget(conn: Connection, practice_id: UUID, connection_id: UUID, call_id: UUID) -> None:
    """Forget a call that changed nothing, once its answer was taken."""
    await conn.execute(FORGET, practice_id, connection_id, call_id)


SETTLE = """
DELETE FROM agent_call WHERE practice_id = $1 AND connection_id = $2 AND call = $3 AND key = $4 AND deadline < $5
  AND answer IS NULL
"""


async def settle(
    conn: Connection, practice_id: UUID, connection_id: UUID, call: str, key: str, *, due_before: datetime
) -> bool:
    """Let a key be used again whose call was to be begun before an instant and left no answer."""
    return affected(await conn.execute(SETTLE, practice_id, connection_id, call, key, due_before)) == 1


# What the same instance fetched and does not hold was lost on the way to it.
FETCH = """
WITH next AS (
  SELECT practice_id, connection_id, call_id FROM agent_call
  WHERE practice_id = $1 AND connection_id = $2 AND answered_at IS NULL AND deadline > $4
    AND (fetched_at IS NULL OR instance = $3 AND $6::text[] IS NOT NULL AND call_id::text <> ALL ($6))
    AND EXISTS (SELECT FROM agent WHERE practice_id = $1 AND connection_id = $2 AND instance = $3)
  ORDER BY position LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE agent_call c SET fetched_at = coalesce(c.fetched_at, $4), instance = $3 FROM next
WHERE c.practice_id = next.practice_id AND c.connection_id = next.connection_id AND c.call_id = next.call_id
RETURNING c.call_id, c.call, c.key, c.body, c.deadline, c.position
"""


async def fetch(
    conn: Connection,
    practice_id: UUID,
    connection_id: UUID,
    *,
    instance: str,
    most: int,
    holding: list[str] | None,
    now: datetime,
) -> list[Asked]:
    """Give an instance that has the line what is to be done, in the order in which it was asked."""
    rows = await conn.fetch(FETCH, practice_id, connection_id, instance, now, most, holding)
    return many(sorted(rows, key=lambda row: row["position"]), Asked)


# What was sent is not needed any more once it was done; the answer is, should the same be asked under its key again.
ANSWER = """
UPDATE agent_call SET answered_at = $4, answer = $5, failure = $6, body = ''
WHERE practice_id = $1 AND connection_id = $2 AND call_id = $3 AND fetched_at IS NOT NULL AND answered_at IS NULL
"""


async def answer(
    conn: Connection,
    practice_id: UUID,
    connection_id: UUID,
    call_id: UUID,
    *,
    answer: bytes | None,
    failure: Failure | None,
    now: datetime,
) -> bool:
    """Keep what became of a call; False where nobody waits for it any more."""
    done = await conn.execute(ANSWER, practice_id, connection_id, call_id, now, answer, failure)
    return affected(done) == 1


NOTIFY = "SELECT pg_notify('vetslot_agent', $1)"


async def tell(conn: Connection, topic: str) -> None:
    """Wake whoever hears this topic, when the transaction commits."""
    await conn.execute(NOTIFY, topic)


FORGET_OLD_CALLS = "DELETE FROM agent_call WHERE key IS NULL AND asked_at < $1 OR asked_at < $2"


async def forget_old_calls(conn: Connection, *, unkeyed_before: datetime, before: datetime) -> int:
    """Delete calls of every practice whose fate nobody asks for any more."""
    return affected(await conn.execute(FORGET_OLD_CALLS, unkeyed_before, before))
