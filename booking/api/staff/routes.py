"""All routes of the staff's part of the API."""

from __future__ import annotations

from litestar import Router

from booking.api.staff import (
    appointments,
    clients,
    configuration,
    connection,
    conversations,
    feeds,
    history,
    keys,
    mirror,
    preview,
    requests,
    webhooks,
    write_backs,
)
from booking.api.staff.who import OF_STAFF

router = Router(
    "/staff",
    route_handlers=[
        appointments.router,
        requests.router,
        write_backs.router,
        conversations.router,
        keys.router,
        feeds.router,
        webhooks.router,
        configuration.router,
        connection.router,
        history.router,
        mirror.router,
        preview.router,
        clients.router,
    ],
    dependencies=OF_STAFF,
    tags=["staff"],
)
