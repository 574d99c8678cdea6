"""The adapter for a practice that lives in a calendar: CalDAV (RFC 4791), followed by sync tokens (RFC 6578)."""

from pims_adapters.caldav.adapter import CalDavAdapter
from pims_adapters.caldav.settings import read_settings
from pims_adapters.contract import PimsAdapter, Relay, Setting, System


def system() -> System:
    """Say what this folder is about."""
    return System(
        name="a calendar (CalDAV)",
        speaks="CalDAV",
        adapter=CalDavAdapter,
        settings=(
            Setting(name="url", label="Address of the calendar server"),
            Setting(name="user", label="User"),
            Setting(name="password", label="Password", help="Best one made for vetslot alone.", secret=True),
            Setting(name="timezone", label="Time zone", help="The practice's, as in America/New_York."),
            Setting(
                name="calendars",
                label="Calendars",
                help="The names of those that are people or rooms, with commas between; without, all of them are.",
                required=False,
            ),
            Setting(
                name="rooms",
                label="Calendars that are rooms",
                help="Their names, with commas between; the others are people.",
                required=False,
            ),
            Setting(name="timeout_seconds", label="Seconds to wait for an answer", required=False),
        ),
    )


def connect(settings: dict[str, str], _relay: Relay | None) -> PimsAdapter:
    """Open a connection by the settings that `system` names."""
    return CalDavAdapter(read_settings(settings))
