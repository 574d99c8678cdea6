"""The calendar feed: what a calendar program subscribes to, under an address that is a secret in itself."""

from __future__ import annotations

from datetime import timedelta

from litestar import MediaType, Response, Router, get
from litestar.params import FromPath

from booking.api.given import HttpRequest, ThePool, now
from booking.api.limits import limited
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.calendar_feed import read_feed

EXTENSION = ".ics"
PER_MINUTE = limited("calendar", times=60, per=timedelta(minutes=1))


@get(
    "/calendar/{file:str}",
    guards=[PER_MINUTE],
    media_type=MediaType.TEXT,
    responses=declared(NotFound),
)
async def calendar(file: FromPath[str], request: HttpRequest, pool: ThePool) -> Response[bytes]:
    """Return a calendar feed, or 304 where the calendar has it as it is. A revoked address is as good as any guess."""
    found = None
    if file.endswith(EXTENSION):
        known = request.headers.get("if-none-match", "").removeprefix("W/")
        found = await read_feed(pool, file.removesuffix(EXTENSION), has=known, now=now())
    if found is None:
        raise NotFound(NotFound.__doc__)
    headers = {"etag": found.etag, "cache-control": "private, no-cache", "x-robots-tag": "noindex"}
    if found.body is None:
        return Response(b"", status_code=304, headers=headers)
    return Response(found.body, media_type="text/calendar", headers=headers)


router = Router("/", route_handlers=[calendar], tags=["calendar"])
