"""Where all requests meet: what browsers are told not to do, and who may send forms."""

from __future__ import annotations

import re

from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import PermissionDeniedException
from litestar.types import Message, Scope

from booking.db.practices import Practice
from widget.state import HttpRequest

ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:\d{1,5})?")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)
HEADERS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    # Pages carry a client's data or a token in their address; what may be kept says so itself.
    "cache-control": "no-store",
}
FRAMED_BY = "framed_by"


def may_be_framed(request: HttpRequest, practice: Practice) -> None:
    """Let the practice's own websites, and nobody else, show the answer in a frame."""
    request.scope["state"][FRAMED_BY] = [origin for origin in practice.allowed_origins if ORIGIN.fullmatch(origin)]


async def add_security_headers(message: Message, scope: Scope) -> None:
    """Add what every answer must say; a header that the answer has already stays."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    framed_by = scope["state"].get(FRAMED_BY) or ["'none'"]
    headers.setdefault("content-security-policy", POLICY + " ".join(framed_by))
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        headers.setdefault("strict-transport-security", "max-age=31536000")


async def refuse_foreign_forms(request: HttpRequest) -> None:
    """Refuse what another website's page sends here.

    Browsers name the sending site in `Sec-Fetch-Site`. (`Origin` is of no use: under `Referrer-Policy: no-referrer`
    it is `null` for our own forms, too.)
    """
    if request.method not in ("GET", "HEAD", "OPTIONS") and request.headers.get("sec-fetch-site") in (
        "cross-site",
        "same-site",
    ):
        raise PermissionDeniedException("This form was sent from another website.")
