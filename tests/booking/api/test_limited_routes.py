"""Every route of the API may be called only so often, by whoever calls it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from booking.api.limits import Limited
from booking.api.staff.who import Needs
from tests.booking.api.calls import practice_path, with_token
from tests.widget.cedar_hill import CedarHill
from tests.widget.oak_lane import settings_of
from widget.app import create_app


def handlers(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Return the handlers of the API, those aside that the framework adds to say which methods there are."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if route.path.startswith("/api/v1") and handler.http_methods != {"OPTIONS"}:
                yield route.path, handler


def test_no_route_is_without_a_limit() -> None:
    found = list(handlers(create_app(settings_of("postgresql://nowhere", "redis://nowhere"))))
    assert len(found) > 80
    without = [path for path, one in found if not any(isinstance(g, Limited | Needs) for g in one.guards or ())]
    assert without == []


async def test_a_caller_who_asks_without_end_is_told_when_to_come_back(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    path = f"{practice_path(cedar_hill)}/appointment-types"
    first = await api.get(path)
    assert first.headers["ratelimit-policy"] == '"practice";q=300;w=60'
    for _ in range(299):
        await api.get(path)
    refused = await api.get(path)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_who_guesses_keys_is_stopped_by_their_address(api: httpx.AsyncClient) -> None:
    guesses = [await api.get("/api/v1/staff/keys", headers=with_token(f"vs_{n}")) for n in range(61)]
    assert {one.status_code for one in guesses[:60]} == {401}
    assert guesses[60].status_code == 429
