"""All routes of the JSON API, and the OpenAPI document made from them (`/api/openapi.json`).

A route decodes and checks, calls one use case, and encodes; `problems` has the answers to everything that cannot be
done.
"""

from __future__ import annotations

from litestar import Router
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig

from booking.api import bookings, feed, holds, live, practices, requests, slots, verifications, waitlist
from booking.api.document import TAGS, Document
from booking.api.problems import on_error, on_refusal
from booking.api.staff import explain
from booking.api.staff import routes as staff

OPENAPI = OpenAPIConfig(
    title="vetslot",
    version="1",
    description="Online booking for veterinary practices.",
    path="/api",
    tags=TAGS,
    operation_id_creator=lambda handler, _method, _path: handler.handler_name,
    render_plugins=[Document(path="/openapi.json")],
    use_handler_docstrings=True,
)

router = Router(
    "/api/v1",
    route_handlers=[
        practices.router,
        slots.router,
        holds.router,
        bookings.router,
        requests.router,
        verifications.router,
        live.router,
        waitlist.router,
        feed.router,
        staff.router,
        explain.router,
    ],
    exception_handlers={HTTPException: on_refusal, Exception: on_error},
    include_in_schema=True,
)
