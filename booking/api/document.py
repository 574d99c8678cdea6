"""The OpenAPI document, completed: who may call what, which headers travel, and what is sent to webhooks.

Litestar reads paths, parameters and bodies from the routes, and `declared` names their problems. The rest follows
from what guards a route, and is added here when the document is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias, get_args

import msgspec
from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Tag

from booking.api.limits import Limited
from booking.api.problems import OF_FRAMEWORK, Kind
from booking.api.staff.who import Needs
from booking.api.staff.wire import path_in_camel_case
from booking.db.webhooks import Event

Json: TypeAlias = dict[str, Any]

TAGS: Final = [
    Tag(name="practice", description="What anybody may know of a practice, and what can be booked there."),
    Tag(name="slots", description="Times that can be booked, and word of when they change."),
    Tag(name="holds", description="A time kept for some minutes, while its client says who they are."),
    Tag(name="identity", description="Codes that prove a phone or an email, and the session that follows."),
    Tag(name="bookings", description="Book a held time; show, move, cancel and confirm what is booked."),
    Tag(name="requests", description="Ask for an appointment where none can be booked at once."),
    Tag(name="waitlist", description="Wait for a time that suits, and answer when one is kept for you."),
    Tag(name="calendar", description="What calendar programs subscribe to."),
    Tag(name="staff", description="The schedule, clients, requests and keys, for a practice's staff and programs."),
    Tag(name="configuration", description="The set-up of a practice: checked, numbered, and reversible."),
]

SCHEMES: Final[dict[str, Json]] = {
    "clientSession": {"type": "http", "scheme": "bearer", "description": "`session` of a proven contact (`cs_…`)."},
    "holdSecret": {"type": "http", "scheme": "bearer", "description": "`secret` of a hold (`hs_…`)."},
    "manageToken": {"type": "http", "scheme": "bearer", "description": "`manageToken` of a booking (`mt_…`)."},
    "waitlistOffer": {"type": "http", "scheme": "bearer", "description": "The token in an offer's link (`wo_…`)."},
    "staffKey": {"type": "http", "scheme": "bearer", "description": "An API key of the practice (`vs_…`)."},
    "consoleSession": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-vetslot-staff",
        "description": "The console's session. What changes something must come from the console's own pages.",
    },
}
STAFF: Final = ("staffKey", "consoleSession")
# The longest beginning of an operation's path decides. An empty one: without any, it does most of what it does.
BY_PATH: Final[dict[str, tuple[str, ...]]] = {
    "/api/v1/holds/": ("holdSecret",),
    "/api/v1/practices/{slug}/slots": ("", "clientSession", "manageToken"),
    "/api/v1/practices/{slug}/bookings": ("clientSession",),
    "/api/v1/bookings/": ("clientSession", "manageToken"),
    "/api/v1/requests/": ("clientSession",),
    "/api/v1/session": ("clientSession",),
    "/api/v1/practices/{slug}/waitlist": ("clientSession",),
    "/api/v1/waitlist/": ("clientSession", "waitlistOffer"),
}

HEADERS: Final[dict[str, Json]] = {
    "RateLimit-Policy": {"description": 'How often this may be asked: `"slots";q=300;w=60`, 300 times in 60 s.'},
    "RateLimit": {"description": "How much is left (`r`) until the count begins anew in `t` seconds."},
    "Retry-After": {"description": "For how many seconds to wait."},
    "WWW-Authenticate": {"description": "`Bearer`."},
    "ETag": {"description": "What this is now; send it back as `If-Match` or `If-None-Match`."},
}
BY_STATUS: Final = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}
WITH_ETAG: Final = ("#/components/schemas/Entry", "#/components/schemas/Saved")
READS: Final = ("get", "head")


class Document(JsonRenderPlugin):
    """Serves the document, made once."""

    _made: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        """Return the completed document."""
        if self._made is None:
            self._made = msgspec.json.encode(completed(request.app, openapi_schema))
        return self._made


def completed(app: Litestar, document: Json) -> Json:
    """Return the document with all that the routes' own declarations do not say."""
    done: Json = msgspec.json.decode(msgspec.json.encode(document))
    for path, method, handler in _handlers(app):
        operation = done["paths"].get(path, {}).get(method)
        if operation is not None:
            _complete(operation, path, method, handler)
    done["components"]["securitySchemes"] = SCHEMES
    done["components"]["headers"] = {name: {**one, "schema": {"type": "string"}} for name, one in HEADERS.items()}
    done["webhooks"] = {one: _webhook(one) for one in get_args(Event)}
    return done


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in handler.http_methods:
                yield route.path_format, method.lower(), handler


def _complete(operation: Json, path: str, method: str, handler: HTTPRouteHandler) -> None:
    operation["operationId"] = path_in_camel_case(operation["operationId"])
    scopes = [one.scope for one in handler.guards or () if isinstance(one, Needs)]
    if scopes:
        operation["description"] = f"{operation.get('description', '')}\n\nIt takes the scope `{scopes[0]}`."
    begins = max((one for one in BY_PATH if path.startswith(one)), key=len, default=None)
    schemes = STAFF if scopes else BY_PATH[begins] if begins else ()
    if schemes:
        operation["security"] = [{one: []} if one else {} for one in schemes]
    responses = operation["responses"]
    if method not in READS:
        _declare(responses, OF_FRAMEWORK[403])
    if "requestBody" in operation:
        _declare(responses, OF_FRAMEWORK[413])
    if path.startswith("/api/v1/calendar/"):
        responses["304"] = {"description": "The calendar has it as it is."}
    limited = bool(scopes) or any(isinstance(one, Limited) for one in handler.guards or ())
    for status, response in responses.items():
        names = [*BY_STATUS.get(status, ()), *(("RateLimit-Policy", "RateLimit") if limited else ())]
        if operation["operationId"] == "calendar" or _shape(response) in WITH_ETAG:
            names.append("ETag")
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _shape(response: Json) -> str:
    of_json: Json = response.get("content", {}).get("application/json", {})
    return str(of_json.get("schema", {}).get("$ref", ""))


def _declare(responses: Json, kind: Kind) -> None:
    """Declare what the framework may answer before a route is asked, beside the route's own problems."""
    known = responses.get(str(kind.status))
    description = f"{known['description']}, `{kind.code}`" if known else f"Problem: `{kind.code}`"
    responses[str(kind.status)] = {**(known or responses["400"]), "description": description}


def _webhook(event: str) -> Json:
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "description": "Ids, references, times, types and statuses."},
        },
    }
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ]
    return {
        "post": {
            "operationId": path_in_camel_case("on_" + event.replace(".", "_")),
            "summary": f"Told: {event}",
            "description": "Signed by Standard Webhooks, delivered at least once. Answer 2xx within ten seconds.",
            "tags": ["staff"],
            "parameters": headers,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"2XX": {"description": "Kept."}},
        }
    }
