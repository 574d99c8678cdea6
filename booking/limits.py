"""Limits: how often somebody may ask, counted in Redis over fixed windows."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from uuid import UUID

from msgspec import Struct
from redis.asyncio import Redis


class Limit(Struct, frozen=True, kw_only=True):
    """At most `times` within `per`, for each value of what the limit counts by."""

    name: str
    times: int
    per: timedelta


async def exceeded(redis: Redis, practice_id: UUID, counted: list[tuple[Limit, str]]) -> timedelta | None:
    """Count one more against each limit; how long to wait where one is exceeded, else None.

    What is counted by (a phone, an address) is kept as a digest only.
    """
    pipeline = redis.pipeline(transaction=True)
    for limit, by in counted:
        key = f"{{{practice_id}}}:limit:{limit.name}:{sha256(by.encode()).hexdigest()}"
        pipeline.incr(key)
        pipeline.expire(key, limit.per, nx=True)
        pipeline.pttl(key)
    answers = await pipeline.execute()
    waits = [
        timedelta(milliseconds=max(0, answers[3 * n + 2]))
        for n, (limit, _) in enumerate(counted)
        if answers[3 * n] > limit.times
    ]
    return max(waits, default=None)


def address_block(address: str) -> str:
    """Return the block that a network address is counted by: an IPv4 address itself, an IPv6 /64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # a proxy's own word for an unknown address
    return f"{int(parsed) >> 64:x}" if isinstance(parsed, IPv6Address) else address
