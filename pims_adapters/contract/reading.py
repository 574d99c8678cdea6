"""What reading a PIMS brings: pages of changes, complete listings, and what the PIMS says of itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from pims_adapters.contract.records import Change, Practice, RecordKind


class Feed(Struct, frozen=True, kw_only=True):
    """A stream of changes with a cursor of its own: which kinds come in it, and how often it is asked.

    `every`: the pause between two questions. With `at`, a local time (`HH:MM`), it is asked once a night at that time.
    """

    name: str
    kinds: tuple[RecordKind, ...]
    every: timedelta = timedelta(seconds=15)
    at: str | None = None


class ChangePage(Struct, frozen=True, kw_only=True):
    """Changes since a cursor, oldest first, at most some hundreds. `as_of`: the page shows the PIMS at that instant."""

    changes: list[Change]
    cursor: str
    more: bool
    as_of: datetime


class Listing(Struct, frozen=True, kw_only=True):
    """Every record of a kind in a window of local days. `complete` False: it broke off, so silence means nothing."""

    records: list[Change]
    complete: bool
    as_of: datetime


class Checked(Struct, frozen=True, kw_only=True):
    """What a PIMS says of itself. `clock`: the time by its own clock, where it tells; `version`: its software's."""

    practice: Practice
    clock: datetime | None = None
    version: str = ""
