"""Limits: how often somebody may ask, counted in Redis over fixed windows, and from when on asking costs some work.

A request that is refused is not counted: a window ends at its time, however long somebody goes on knocking.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from uuid import UUID

from msgspec import Struct
from redis.asyncio import Redis

EVERYWHERE = "all"
"""The scope of what is counted over all practices together."""


class Limit(Struct, frozen=True, kw_only=True):
    """At most `times` within `per`, for each value of what it counts by; after `free`, only for a proof of work."""

    name: str
    times: int
    per: timedelta
    free: int | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """A limit with what it counts by (a phone, an address). `step` 0 looks and counts nothing, -1 gives one back."""

    limit: Limit
    by: str
    step: int = 1


class Tally(Struct, frozen=True, kw_only=True):
    """What counting came to. `wait` until the last of the exceeded limits ends; `used`, `resets` by limit, as asked."""

    verdict: Literal["within", "work_needed", "exceeded"]
    wait: timedelta
    used: list[int]
    resets: list[timedelta]


# All or nothing, in one round trip. ARGV: whether work was shown; then times, free, per (ms) and step of each key.
TALLY = """
local verdict, used = 0, {}
for n, key in ipairs(KEYS) do
  local times, free, step = tonumber(ARGV[4 * n - 2]), tonumber(ARGV[4 * n - 1]), tonumber(ARGV[4 * n + 1])
  used[n] = tonumber(redis.call('GET', key) or '0')
  if step >= 0 and used[n] >= times then
    verdict = 2
  elseif step >= 0 and used[n] >= free and ARGV[1] == '0' then
    verdict = math.max(verdict, 1)
  end
end
local answer = {verdict}
for n, key in ipairs(KEYS) do
  local step = tonumber(ARGV[4 * n + 1])
  if verdict == 0 and (step > 0 or (step < 0 and used[n] > 0)) then
    used[n] = redis.call('INCRBY', key, step)
    if used[n] == step then redis.call('PEXPIRE', key, ARGV[4 * n]) end
  end
  answer[2 * n] = used[n]
  answer[2 * n + 1] = redis.call('PTTL', key)
end
return answer
"""
VERDICTS: tuple[Literal["within", "work_needed", "exceeded"], ...] = ("within", "work_needed", "exceeded")


async def tally(redis: Redis, scope: str, counted: list[Counted], *, work_shown: bool = False) -> Tally:
    """Count one more against every limit, unless one of them forbids it or asks for work that was not shown.

    `scope` is a practice's id or `EVERYWHERE`. What is counted by is kept as a digest only.
    """
    keys = [f"{{{scope}}}:limit:{one.limit.name}:{sha256(one.by.encode()).hexdigest()}" for one in counted]
    arguments: list[int] = [int(work_shown)]
    for one in counted:
        free = one.limit.times if one.limit.free is None else one.limit.free
        arguments += [one.limit.times, free, int(one.limit.per / timedelta(milliseconds=1)), one.step]
    verdict, *answers = await redis.eval(TALLY, len(keys), *keys, *map(str, arguments))
    used = [int(one) for one in answers[::2]]
    resets = [timedelta(milliseconds=max(0, int(one))) for one in answers[1::2]]
    exceeded_ends = [
        end for one, n, end in zip(counted, used, resets, strict=True) if one.step >= 0 and n >= one.limit.times
    ]
    wait = max(exceeded_ends, default=timedelta()) if verdict == VERDICTS.index("exceeded") else timedelta()
    return Tally(verdict=VERDICTS[verdict], wait=wait, used=used, resets=resets)


async def exceeded(redis: Redis, practice_id: UUID, counted: list[tuple[Limit, str]]) -> timedelta | None:
    """Count one more against each limit of a practice; how long to wait where one is exceeded, else None."""
    found = await tally(redis, str(practice_id), [Counted(limit=limit, by=by) for limit, by in counted])
    return found.wait if found.verdict == "exceeded" else None


def address_block(address: str) -> str:
    """Return the block that a network address is counted by: an IPv4 address itself, an IPv6 /64."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed) if parsed else address


def wider_block(block: str) -> str:
    """Return the network around a block, which one household or company may own: an IPv4 /24, an IPv6 /48."""
    parsed = _parsed(block.partition("/")[0])
    if parsed is None:
        return block
    return str(ip_network((parsed, 24 if isinstance(parsed, IPv4Address) else 48), strict=False))


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Read an address; None for a proxy's own word for an unknown one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # A server that listens on IPv6 alone sees IPv4 clients so: each is an address of its own, not all one /64.
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
