"""All routes of the staff's part of the API."""

from __future__ import annotations

from litestar import Router

from booking.api.staff import configuration, feeds, keys, webhooks
from booking.api.staff.who import OF_STAFF

router = Router(
    "/staff",
    route_handlers=[keys.router, feeds.router, webhooks.router, configuration.router],
    dependencies=OF_STAFF,
    tags=["staff"],
)
