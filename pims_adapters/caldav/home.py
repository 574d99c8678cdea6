"""Where the calendars are: from the address that was entered to the user's calendars (RFC 5397, RFC 4791 6.2.1)."""

from urllib.parse import quote, unquote

from msgspec import Struct

from pims_adapters.caldav import xml
from pims_adapters.caldav.exchange import Answer, Exchange
from pims_adapters.caldav.settings import Settings
from pims_adapters.caldav.xml import Said, cal, dav
from pims_adapters.contract import PimsMisconfigured, PimsUnavailable, Resource

WELL_KNOWN = "/.well-known/caldav"  # RFC 6764
ABOUT_HOME = ("d:current-user-principal", "c:calendar-home-set", "d:displayname")
ABOUT_CALENDAR = ("d:resourcetype", "d:displayname", "c:supported-calendar-component-set")
STATE = "d:sync-token"


class Home(Struct, frozen=True):
    """The collection of the user's calendars, and the user's name there."""

    path: str
    name: str


class Calendar(Struct, frozen=True):
    """A calendar: the last part of its path names it for us. `token`: its state, which changes with each event."""

    id: str
    path: str
    name: str
    token: str | None

    def path_to(self, event: str) -> str:
        return self.path + quote(event, safe="")

    def resource(self, settings: Settings) -> Resource:
        """Return the calendar as a column of the schedule."""
        return Resource(
            pims_id=self.id, name=self.name, resource_kind="room" if settings.is_room(self.name) else "provider"
        )


def said(answer: Answer) -> tuple[list[Said], str | None]:
    """Read a multistatus; what cannot be read is an outage, as a broken line would be."""
    try:
        return xml.multistatus(answer.body)
    except xml.UnreadableXml as error:
        raise PimsUnavailable(f"The calendar server's answer {error}.", outcome_unknown=False) from None


async def find_home(exchange: Exchange, settings: Settings) -> Home:
    """Go from the address that was entered over the user to the user's calendars."""
    start = exchange.path_of(settings.url)
    answer = await exchange.ask("PROPFIND", start, xml.propfind(*ABOUT_HOME))
    if answer.absent and start in ("", "/"):
        answer = await exchange.ask("PROPFIND", WELL_KNOWN, xml.propfind(*ABOUT_HOME))
    for _ in range(2):
        if answer.absent:
            break
        found = said(answer)[0]
        about = found[0] if found else None
        home = about and about.href_in(cal("calendar-home-set"))
        if about and home:
            name = (about.text(dav("displayname")) or "").strip() or settings.user
            return Home(_folder(exchange.path_of(home)), name)
        user = about and about.href_in(dav("current-user-principal"))
        if not user:
            break
        answer = await exchange.ask("PROPFIND", exchange.path_of(user), xml.propfind(*ABOUT_HOME))
    raise PimsMisconfigured("There is no calendar server at this address.")


async def find_calendars(
    exchange: Exchange, settings: Settings, home: Home, *, states: bool = False
) -> tuple[dict[str, Calendar], Answer]:
    """Return the calendars that hold events, by their ids, and the answer that told of them.

    `states`: with their tokens, which cost a server more than all the rest.
    """
    names = (*ABOUT_CALENDAR, STATE) if states else ABOUT_CALENDAR
    answer = await exchange.ask("PROPFIND", home.path, xml.propfind(*names), depth=1)
    if answer.absent:
        raise PimsMisconfigured("The user's calendars are no longer where they were.")
    found = {}
    for about in said(answer)[0]:
        path = _folder(exchange.path_of(about.href, base=home.path))
        id_ = unquote(path.rstrip("/").rpartition("/")[2])
        name = (about.text(dav("displayname")) or "").strip() or id_
        if path != home.path and _holds_events(about) and settings.wants(name):
            found[id_] = Calendar(id_, path, name, about.text(dav("sync-token")))
    if not found:
        raise PimsMisconfigured("This user has no calendar of the names that were entered.")
    return found, answer


def _holds_events(about: Said) -> bool:
    kinds = about.props.get(dav("resourcetype"))
    if kinds is None or kinds.find(cal("calendar")) is None:
        return False
    components = about.props.get(cal("supported-calendar-component-set"))
    return components is None or any(one.get("name") == "VEVENT" for one in components.iterfind(cal("comp")))


def _folder(path: str) -> str:
    return path if path.endswith("/") else path + "/"
