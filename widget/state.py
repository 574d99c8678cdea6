"""What every request may ask for, by the name of a handler's argument: `pool`, `redis`, `installation`, `site`.

A handler writes `pool: ThePool`; the composition root provides them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from redis.asyncio import Redis

from booking.db.pool import Pool
from booking.site import Site
from widget.settings import Settings

ThePool: TypeAlias = NamedDependency[Pool]
TheRedis: TypeAlias = NamedDependency[Redis]
TheSettings: TypeAlias = NamedDependency[Settings]
TheSite: TypeAlias = NamedDependency[Site]
HttpRequest: TypeAlias = Request[Any, Any, State]


# One waits for the other for nothing but this: several that wait for nobody are each given a task, which takes longer
# than all of them.


async def _installation(state: State) -> Settings:
    settings: Settings = state.settings
    return settings


async def _site(state: State, installation: TheSettings) -> Site:  # noqa: ARG001 - as above
    site: Site = state.site
    return site


async def _redis(state: State, site: TheSite) -> Redis:  # noqa: ARG001 - as above
    redis: Redis = state.redis
    return redis


async def _pool(state: State, redis: TheRedis) -> Pool:  # noqa: ARG001 - as above
    pool: Pool = state.pool
    return pool


def site_of(settings: Settings) -> Site:
    """Return what the use cases need to know of the settings."""
    return Site(
        public_url=settings.public_url,
        secret_key=settings.secret_key,
        texts=settings.dev_mailbox,
        emails=settings.dev_mailbox or settings.smtp_url is not None,
        texts_per_day=settings.texts_per_day,
        private_webhooks=settings.dev_mailbox,
    )


DEPENDENCIES = {
    "pool": Provide(_pool),
    "redis": Provide(_redis),
    # Not `settings`: a body that has a member of that name would be taken for it where it is wrong.
    "installation": Provide(_installation),
    "site": Provide(_site),
}
