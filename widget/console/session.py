"""Who is at the console: the session's cookie, the practice and the member of staff behind it, and nobody else's pages.

Every handler that takes `at_console` has a signed-in member of staff; whoever has no session is sent to sign in.
"""

from __future__ import annotations

from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.response.redirect import Redirect
from msgspec import Struct

from booking.api.staff.who import READS, from_own_pages
from booking.db import practices
from booking.db.pool import of_practice
from booking.db.practices import Practice
from booking.db.staff import Staff
from booking.scopes import OF_ROLE
from booking.sign_in import SESSION_LIVES, session_cookie, signed_in_staff
from widget.pages import see_other
from widget.settings import Settings
from widget.state import HttpRequest, ThePool, TheRedis, TheSettings

LAST_PRACTICE = "vetslot-practice"


class AtConsole(Struct, frozen=True, kw_only=True):
    """The member of staff, and their practice: the only one whose data they can reach."""

    practice: Practice
    staff: Staff

    @property
    def may_configure(self) -> bool:
        """Say whether they may change the practice's set-up."""
        return "configuration:write" in OF_ROLE[self.staff.role]


class NotSignedIn(Exception):
    """The page needs a session."""


Who: TypeAlias = NamedDependency[AtConsole]


async def at_console(request: HttpRequest, pool: ThePool, redis: TheRedis, installation: TheSettings) -> AtConsole:
    """Return who is signed in. Raises `NotSignedIn`."""
    secret = request.cookies.get(cookie_name(installation))
    found = await signed_in_staff(pool, redis, secret) if secret else None
    if found is None:
        raise NotSignedIn
    practice_id, staff = found
    async with of_practice(pool, practice_id) as conn:
        practice = await practices.practice_by_id(conn, practice_id)
    if practice is None:
        raise NotSignedIn
    return AtConsole(practice=practice, staff=staff)


def to_sign_in(request: HttpRequest, _: NotSignedIn) -> Redirect:
    """Lead to the sign-in page of the practice last signed in to in this browser, else ask which it is."""
    slug = request.cookies.get(LAST_PRACTICE)
    return see_other(sign_in_page(slug) if slug else "/console")


def sign_in_page(slug: str) -> str:
    """Return the address of a practice's sign-in page, whatever was typed as its name."""
    return f"/console/{quote(slug, safe='')}/sign-in"


def cookie_name(settings: Settings) -> str:
    """Return the session cookie's name, which the API reads, too."""
    return session_cookie(settings.public_url)


def session_cookies(settings: Settings, practice: Practice, secret: str) -> list[Cookie]:
    """Return the cookies of a browser that has just signed in: the session, and which practice it was."""
    return [
        _cookie(settings, cookie_name(settings), secret, int(SESSION_LIVES.total_seconds())),
        _cookie(settings, LAST_PRACTICE, practice.slug, 365 * 24 * 3600),
    ]


def ended_session_cookie(settings: Settings) -> Cookie:
    """Return the cookie that makes the browser forget its session."""
    return _cookie(settings, cookie_name(settings), "", 0)


def _cookie(settings: Settings, name: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        key=name, value=value, path="/", max_age=max_age, secure=is_https(settings), httponly=True, samesite="strict"
    )


def is_https(settings: Settings) -> bool:
    """Say whether people reach us by HTTPS."""
    return urlsplit(settings.public_url).scheme == "https"


def same_origin_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse what another site's page makes a browser send; every browser says where a POST comes from."""
    if connection.scope.get("method") not in READS and not from_own_pages(connection):
        raise PermissionDeniedException("This form was sent from another website. Please open the console yourself.")
