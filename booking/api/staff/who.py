"""Who is asking in the practice's name: a program with an API key, or a member of staff with the console's session.

A route says which scope it takes, and is refused before anything of the request is read:

    @get("/staff/…", guards=[Needs("clients:read")])
    async def …(who: TheStaff, …)
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from booking.api.given import HttpRequest, now
from booking.api.limits import limited
from booking.api_keys import key_of
from booking.db import practices
from booking.db.pool import of_practice
from booking.db.practices import Practice
from booking.scopes import OF_ROLE, Scope
from booking.sign_in import session_cookie, signed_in_staff

OF_ONE = limited("staff", times=600, per=timedelta(minutes=1))
OF_STRANGERS = limited("staff-strangers", times=60, per=timedelta(minutes=1))
READS = ("GET", "HEAD", "OPTIONS")
Asking: TypeAlias = ASGIConnection[Any, Any, Any, Any]


class NotSignedIn(Exception):
    """This is for staff. Please sign in, or send an API key that is still valid."""

    headers = {"www-authenticate": "Bearer"}  # noqa: RUF012 - nobody changes it


class ScopeMissing(Exception):
    """This is beyond what you may do. Please ask whoever manages the practice's keys and roles."""


class FromAnotherSite(Exception):
    """This was sent from another website's page. Please open the console yourself."""


class AtStaff(Struct, frozen=True, kw_only=True):
    """Who acts, and for which practice: the only one whose data they reach. `actor`: a staff id or an API key's id."""

    practice: Practice
    actor: UUID
    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Say whether this is among what they may do."""
        return scope in self.scopes


class Needs(Struct, frozen=True):
    """The guard of a route that takes a scope. Raises `NotSignedIn`, `ScopeMissing` and `FromAnotherSite`.

    It limits, too: whoever was let in by who they are, everybody else by their address.
    """

    scope: Scope

    async def __call__(self, connection: Asking, handler: BaseRouteHandler) -> None:
        """Let in who may do this, and remember who it was."""
        try:
            who = await _who(connection)
        except NotSignedIn:
            await OF_STRANGERS(connection, handler)
            raise
        connection.scope["state"]["at_staff"] = who
        connection.scope["state"]["counted_by"] = str(who.actor)
        await OF_ONE(connection, handler)
        if not who.may(self.scope):
            raise ScopeMissing(f"{ScopeMissing.__doc__} It takes the scope `{self.scope}`.")


async def at_staff(request: HttpRequest) -> AtStaff:
    """Return who was let in. Raises `NotSignedIn` where a route forgot to say what it takes."""
    who = request.scope["state"].get("at_staff")
    if not isinstance(who, AtStaff):
        raise NotSignedIn(NotSignedIn.__doc__)
    return who


TheStaff: TypeAlias = NamedDependency[AtStaff]
OF_STAFF = {"who": Provide(at_staff)}


async def _who(connection: Asking) -> AtStaff:
    """Return who asks: by the key if there is one, else by the session."""
    state = connection.app.state
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme:
        found = await key_of(state.pool, token.strip(), now=now()) if scheme.lower() == "bearer" else None
        if found is None:
            raise NotSignedIn(NotSignedIn.__doc__)
        practice, key = found
        return AtStaff(practice=practice, actor=key.api_key_id, name=key.name, scopes=frozenset(key.scopes))
    secret = connection.cookies.get(session_cookie(state.site.public_url))
    session = await signed_in_staff(state.pool, state.redis, secret) if secret else None
    if session is None:
        raise NotSignedIn(NotSignedIn.__doc__)
    if connection.scope.get("method") not in READS and not from_own_pages(connection):
        raise FromAnotherSite(FromAnotherSite.__doc__)
    practice_id, staff = session
    async with of_practice(state.pool, practice_id) as conn:
        known = await practices.practice_by_id(conn, practice_id)
    if known is None:
        raise NotSignedIn(NotSignedIn.__doc__)
    return AtStaff(practice=known, actor=staff.staff_id, name=staff.name, scopes=OF_ROLE[staff.role])


def from_own_pages(connection: Asking) -> bool:
    """Say whether a browser sent this from a page of ours: every browser says where a POST comes from."""
    fetch_site = connection.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    return urlsplit(connection.headers.get("Origin", "")).netloc == connection.headers.get("Host", "-")
