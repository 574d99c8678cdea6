"""The composition root of the web server: stores, routes, and what applies to every request.

One process holds nothing that another would miss; run as many as you like.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from redis.asyncio import Redis

from booking.agents.wakes import Wakes
from booking.api import health, routes
from booking.api.agent import calls as agent_calls
from booking.api.limits import add_rate_limit_headers
from booking.db.pool import connect
from widget import book, console, dev, embed
from widget.assets import static_file
from widget.failures import on_failure, on_refusal
from widget.security import add_security_headers, refuse_foreign_forms
from widget.settings import Settings
from widget.state import DEPENDENCIES, site_of

LARGEST_BODY = 64 * 1024
REDIS_TIMEOUT_SECONDS = 2


def create_app(settings: Settings) -> Litestar:
    """Make the application. Its stores are opened when it starts and closed when it stops."""
    return Litestar(
        [static_file, health.router, routes.router, agent_calls.router, *routers(settings)],
        state=State({"settings": settings, "site": site_of(settings)}),
        dependencies=DEPENDENCIES,
        lifespan=[stores],
        before_request=refuse_foreign_forms,
        before_send=[add_security_headers, add_rate_limit_headers],
        exception_handlers={HTTPException: on_refusal, Exception: on_failure},
        request_max_body_size=LARGEST_BODY,
        openapi_config=routes.OPENAPI,
        include_in_schema=False,
        logging_config=None,
    )


@asynccontextmanager
async def stores(app: Litestar) -> AsyncIterator[None]:
    """Open the stores that the settings in the application's state name, and close them in the end."""
    settings: Settings = app.state.settings
    app.state.pool = await connect(settings.database_url)
    app.state.agent_wakes = Wakes(app.state.pool)
    app.state.redis = Redis.from_url(
        settings.redis_url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
    )
    try:
        yield
    finally:
        await app.state.agent_wakes.close()
        await app.state.redis.aclose()
        await app.state.pool.close()


def routers(settings: Settings) -> list[Router]:
    """Return what a browser can reach; the mailbox only where everybody may read it."""
    return [book.router, console.router, embed.router, *([dev.router] if settings.dev_mailbox else [])]
