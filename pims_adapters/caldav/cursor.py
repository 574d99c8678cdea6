"""How far the calendars were read, as text that we alone can read.

Besides each calendar's sync token it keeps what a server that only says "this name is gone" cannot tell again: which
names were block-offs, and of how many parts.
"""

from datetime import date

import msgspec
from msgspec import Struct

from pims_adapters.contract import CursorExpired


class Place(Struct, frozen=True, array_like=True):
    """How far one calendar was read.

    In the middle of many changes `then` is the token that follows them, and `after` the last name that was brought.
    """

    token: str | None = None
    then: str | None = None
    after: str = ""

    @property
    def done(self) -> bool:
        return self.token is not None and self.then is None


class Cursor(Struct, kw_only=True, forbid_unknown_fields=True):
    """How far all of them were read. `on`: up to a horizon seen from that day; the rest is by calendar's id."""

    home: str
    on: date
    resources: dict[str, tuple[str, str]]
    places: dict[str, Place]
    blocks: dict[str, dict[str, int]]
    expanded: dict[str, list[str]]

    def text(self) -> str:
        return msgspec.json.encode(self).decode()

    def forget(self, calendar: str) -> None:
        """Let go of a calendar that is no more."""
        for kept in (self.resources, self.places, self.blocks, self.expanded):
            kept.pop(calendar, None)


def read_cursor(text: str, home: str) -> Cursor:
    """Raise `CursorExpired` for a text that we did not write, or wrote for another's calendars."""
    try:
        found = msgspec.json.decode(text, type=Cursor)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        raise CursorExpired("This is no cursor of these calendars.") from None
    if found.home != home:
        raise CursorExpired("The cursor is one of another user's calendars.")
    return found
