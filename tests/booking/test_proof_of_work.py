"""Proof of work: a solution counts once, for its practice, in its time, and only if it is one."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import altcha
import msgspec
import pytest
from redis.asyncio import Redis

from booking.proof_of_work import LIVES, Challenge, new_challenge, solved
from tests.booking.steps import SECRET_KEY

PRACTICE = uuid4()


def now() -> datetime:
    """Read the real clock, as the altcha package does."""
    return datetime.now(UTC)


def payload_of(challenge: Challenge, *, counter: int | None = None) -> str:
    """Solve a challenge as a browser would; with a `counter`, only pretend to."""
    read = altcha.Challenge.from_dict(msgspec.to_builtins(challenge))
    found = altcha.Solution(counter=counter, derived_key="00" * 32) if counter is not None else None
    solution = found or altcha.solve_challenge(read)
    assert solution
    return altcha.Payload(challenge=read, solution=solution).to_base64()


async def accepted(redis: Redis, payload: str, *, practice_id: UUID = PRACTICE, at: datetime | None = None) -> bool:
    return await solved(redis, SECRET_KEY, practice_id, payload, at or now())


async def test_a_solution_counts_once(redis: Redis) -> None:
    payload = payload_of(new_challenge(SECRET_KEY, PRACTICE, now()))
    assert not await accepted(redis, payload, practice_id=uuid4()), "it was made for another practice"
    assert not await accepted(redis, payload, at=now() + LIVES), "it came too late"
    assert await accepted(redis, payload)
    assert not await accepted(redis, payload)
    assert not await accepted(redis, b64encode(b" " + b64decode(payload)).decode()), "written otherwise, it is the same"


async def test_a_challenge_cannot_be_made_easier_or_kept_for_later(redis: Redis) -> None:
    made = new_challenge(SECRET_KEY, PRACTICE, now())
    easier = msgspec.structs.replace(made, parameters=msgspec.structs.replace(made.parameters, cost=1))
    assert not await accepted(redis, payload_of(easier))
    over = new_challenge(SECRET_KEY, PRACTICE, now() - LIVES - timedelta(seconds=1))
    assert not await accepted(redis, payload_of(over, counter=1))


async def test_who_did_not_work_is_not_believed(redis: Redis) -> None:
    assert not await accepted(redis, payload_of(new_challenge(SECRET_KEY, PRACTICE, now()), counter=7))


@pytest.mark.parametrize(
    "payload", ["", "x", "ä", "e30=", b64encode(b"[" * 3000).decode(), b64encode(b'{"challenge":[]}').decode()]
)
async def test_garbage_is_no_solution(redis: Redis, payload: str) -> None:
    assert not await accepted(redis, payload)
