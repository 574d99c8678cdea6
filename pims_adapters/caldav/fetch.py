"""Events of one calendar: by their names, by a UID, or by the time they take."""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pims_adapters.caldav import xml
from pims_adapters.caldav.events import DAY, Stored, read
from pims_adapters.caldav.exchange import Answer, Exchange
from pims_adapters.caldav.home import Calendar, said
from pims_adapters.caldav.xml import cal, dav

AT_ONCE = 100


async def by_names(exchange: Exchange, calendar: Calendar, names: Iterable[str], zone: ZoneInfo) -> dict[str, Stored]:
    """Return what stands under these names; those that are not there are left out."""
    found: dict[str, Stored] = {}
    wanted = list(names)
    for at in range(0, len(wanted), AT_ONCE):
        hrefs = [calendar.path_to(name) for name in wanted[at : at + AT_ONCE]]
        answer = await exchange.ask("REPORT", calendar.path, xml.multiget(hrefs))
        found |= {stored.name: stored for stored in _events(answer, calendar, zone)}
    return found


async def by_uid(exchange: Exchange, calendar: Calendar, uid: str, zone: ZoneInfo) -> list[Stored]:
    """Return what has this UID, under whatever name."""
    answer = await exchange.ask("REPORT", calendar.path, xml.events_with_uid(uid), depth=1)
    return [stored for stored in _events(answer, calendar, zone) if stored.uid == uid]


async def by_time(
    exchange: Exchange, calendar: Calendar, begin: datetime, end: datetime, zone: ZoneInfo
) -> list[Stored]:
    """Return what may touch a time: a day more on both sides, as a server may hold all-day events to be in UTC."""
    edges = (f"{when.astimezone(UTC):%Y%m%dT%H%M%SZ}" for when in (begin - DAY, end + DAY))
    answer = await exchange.ask("REPORT", calendar.path, xml.events_between(*edges), depth=1)
    return _events(answer, calendar, zone)


async def changed_names(
    exchange: Exchange, calendar: Calendar, token: str | None
) -> tuple[dict[str, bool], str | None]:
    """Return the names that changed since a token, and whether each is still there; and the token that follows.

    Raises `CursorExpired`.
    """
    answer = await exchange.ask("REPORT", calendar.path, xml.sync_collection(token))
    about, following = said(answer)
    names = {_name(exchange, one.href, calendar): one.status is None for one in about}
    names.pop("", None)  # the calendar itself
    return names, following


def _events(answer: Answer, calendar: Calendar, zone: ZoneInfo) -> list[Stored]:
    if answer.absent:
        return []  # a calendar that is no more holds no events
    found = []
    for about in said(answer)[0]:
        text = about.text(cal("calendar-data"))
        if text is not None:
            name = unquote(about.href.rstrip("/").rpartition("/")[2])
            found.append(read(calendar.id, name, about.text(dav("getetag")), text, zone))
    return [stored for stored in found if stored is not None]


def _name(exchange: Exchange, href: str, calendar: Calendar) -> str:
    path = exchange.path_of(href, base=calendar.path)
    return "" if path.rstrip("/") == calendar.path.rstrip("/") else unquote(path.rstrip("/").rpartition("/")[2])
