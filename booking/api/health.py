"""Health: whether this process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio

import asyncpg
from litestar import Response, Router, get
from litestar.di import NamedDependency
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from booking.db.pool import Pool, reachable

WAIT_SECONDS = 2


class Health(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str = "ok"


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether each store answers."""

    postgresql: bool
    redis: bool


@get("/health")
async def health() -> Health:
    """Say that the process lives; whoever restarts dead ones asks this."""
    return Health()


@get("/ready")
async def ready(pool: NamedDependency[Pool], redis: NamedDependency[Redis]) -> Response[Readiness]:
    """Say whether requests can be served; whoever spreads the load asks this."""
    found = Readiness(postgresql=await _answers(pool), redis=await _pings(redis))
    return Response(found, status_code=200 if found.postgresql and found.redis else 503)


async def _answers(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            return await reachable(pool)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


async def _pings(redis: Redis) -> bool:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await redis.echo("")
    except (OSError, RedisError):
        return False
    return True


router = Router("/", route_handlers=[health, ready])
