"""Sign in to the console and out again."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException
from litestar.params import Body, FromPath, QueryParameter
from litestar.response.redirect import Redirect
from msgspec import Meta, Struct

from booking.db import practices
from booking.db.pool import of_no_practice
from booking.db.practices import Practice
from booking.limits import address_block
from booking.sign_in import SignInFailed, sign_in, sign_out
from widget.console.session import (
    NotSignedIn,
    at_console,
    cookie_name,
    ended_session_cookie,
    session_cookies,
    sign_in_page,
)
from widget.pages import page, see_other
from widget.state import HttpRequest, ThePool, TheRedis, TheSettings

WRONG = "Email and password do not belong together. Please try again."
TOO_OFTEN = "That was tried too often. Please wait {minutes} minutes, then try again."


class SignInForm(Struct, frozen=True, kw_only=True):
    """What the form sends. Nothing is required here: the answer to an empty field is a page, too."""

    email: Annotated[str, Meta(max_length=320)] = ""
    password: Annotated[str, Meta(max_length=1000)] = ""


@get("/")
async def ask_practice(
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    installation: TheSettings,
    practice: Annotated[str, QueryParameter(max_length=100)] = "",
) -> Response[str] | Redirect:
    """Ask which practice is meant; we list none."""
    if slug := practice.strip().lower():
        return see_other(sign_in_page(slug))
    try:
        await at_console(request, pool, redis, installation)
    except NotSignedIn:
        return page("console/practice.html")
    return see_other("/console/schedule")


@get("/{slug:str}/sign-in")
async def show_sign_in(
    request: HttpRequest, pool: ThePool, redis: TheRedis, installation: TheSettings, slug: FromPath[str]
) -> Response[str] | Redirect:
    """Show the form, unless they are signed in to this practice already."""
    practice = await _practice(pool, slug)
    try:
        who = await at_console(request, pool, redis, installation)
    except NotSignedIn:
        return page("console/sign_in.html", practice=practice, error=None, email="")
    if who.practice.practice_id != practice.practice_id:
        return page("console/sign_in.html", practice=practice, error=None, email="")
    return see_other("/console/schedule")


@post("/{slug:str}/sign-in")
async def do_sign_in(
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    installation: TheSettings,
    slug: FromPath[str],
    data: Annotated[SignInForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[str] | Redirect:
    """Sign in; an unknown email and a wrong password get the same answer."""
    practice = await _practice(pool, slug)
    address = address_block(request.client.host) if request.client else ""
    answer = await sign_in(pool, redis, practice, data.email, data.password, address=address)
    if isinstance(answer, SignInFailed):
        error, status = WRONG, 422
        if answer.wait is not None:
            error, status = TOO_OFTEN.format(minutes=int(answer.wait.total_seconds()) // 60 + 1), 429
        return page("console/sign_in.html", status=status, practice=practice, error=error, email=data.email)
    led_on = see_other("/console/schedule")
    for cookie in session_cookies(installation, practice, answer.secret):
        led_on.set_cookie(cookie)
    return led_on


@post("/sign-out")
async def do_sign_out(request: HttpRequest, redis: TheRedis, installation: TheSettings) -> Redirect:
    """End the session here and in this browser."""
    secret = request.cookies.get(cookie_name(installation))
    if secret:
        await sign_out(redis, secret)
    led_on = see_other("/console")
    led_on.set_cookie(ended_session_cookie(installation))
    return led_on


async def _practice(pool: ThePool, slug: str) -> Practice:
    async with of_no_practice(pool) as conn:
        practice = await practices.practice_by_slug(conn, slug)
    if practice is None:
        raise NotFoundException
    return practice
