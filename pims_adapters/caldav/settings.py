"""What the practice enters to connect, checked before anything is sent."""

from zoneinfo import ZoneInfo

import httpx
import msgspec

from pims_adapters.contract import PimsMisconfigured

TOTAL_SECONDS = 10.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar server and what stands there."""

    url: str
    user: str
    password: str
    timezone: str
    calendars: str = ""
    rooms: str = ""
    timeout_seconds: float = TOTAL_SECONDS

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def wants(self, calendar: str) -> bool:
        """Tell whether the calendar of this name is a resource."""
        return not self.calendars.strip() or calendar in _names(self.calendars)

    def is_room(self, calendar: str) -> bool:
        return calendar in _names(self.rooms)


def read_settings(settings: dict[str, str]) -> Settings:
    """Return the settings. `PimsMisconfigured` says what is wrong with them."""
    try:
        found = msgspec.convert(settings, Settings, strict=False)
        address = httpx.URL(found.url)
    except (msgspec.ValidationError, httpx.InvalidURL) as error:
        raise PimsMisconfigured(f"The settings of the calendar do not fit: {error}.") from None
    if address.scheme not in {"http", "https"} or not address.host:
        raise PimsMisconfigured("The setting `url` must be a whole address such as https://calendar.example.com/dav/.")
    if address.userinfo:
        raise PimsMisconfigured("User and password have settings of their own, and do not belong into the `url`.")
    for name in ("user", "password"):
        value = getattr(found, name)
        if not value or not value.isprintable():
            raise PimsMisconfigured(f"The setting `{name}` is empty or has characters that cannot be sent.")
    if ":" in found.user:
        raise PimsMisconfigured("The setting `user` has a colon, which HTTP does not allow there.")
    if not 0 < found.timeout_seconds < float("inf"):
        raise PimsMisconfigured("The setting `timeout_seconds` must be above zero.")
    try:
        ZoneInfo(found.timezone)
    except (LookupError, ValueError, OSError):  # what ZoneInfo raises for text that names no zone, or a path
        raise PimsMisconfigured("The setting `timezone` names no time zone, as Europe/Paris does.") from None
    return found


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}
