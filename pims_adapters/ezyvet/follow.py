"""Following ezyVet's lists by `modified_at`: a cursor that loses no row and brings each once.

EzyVet counts in whole seconds, and in a second that was read a row may change again. So each round begins some seconds
before where the last one ended, and rows that it brought already and that still look the same are passed over;
`modified_at` alone would not tell. A round is all pages of a list; where rows left the list while it was read, so that
others moved up, it starts again.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from pims_adapters.contract import CursorExpired
from pims_adapters.ezyvet import wire
from pims_adapters.ezyvet.line import Call
from pims_adapters.ezyvet.paging import compared, page

OVERLAP = 2
SKEW = 60
"""The web server's clock, which we see, and the database's, which stamps rows, differ by less."""
MOST_SEEN = 2000
LONGEST_CURSOR = 200_000

R = TypeVar("R", bound=wire.Row)
Seen = tuple[int, int, str]
"""A row: its number, its `modified_at`, and how it looked."""


class Mark(Struct, frozen=True):
    """How far a list has been followed, and which rows of its last seconds were brought already."""

    since: int = 0
    seen: list[Seen] = []


class Round(Struct, frozen=True):
    """A round under way: when it began by ezyVet's clock, the rows there were, the next page, and the newest row."""

    began: int
    total: int
    next: int
    newest: int = 0
    seen: list[Seen] = []


class Cursor(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a feed stands: its lists' marks, which of them is being read, and the round under way there."""

    version: Literal[1]
    marks: dict[str, Mark] = {}
    at: int = 0
    under_way: Round | None = None
    began: int = 0

    def standing(self, path: str, stands: Round | Mark) -> Cursor:
        """Return where the feed stands when one of its lists stands so."""
        if isinstance(stands, Round):
            return msgspec.structs.replace(self, under_way=stands)
        return msgspec.structs.replace(self, marks=self.marks | {path: stands}, under_way=None)


def read_cursor(text: str | None) -> Cursor:
    """Read a cursor that we gave out. Raises `CursorExpired` where it is none of ours."""
    if text is None:
        return Cursor(version=1)
    try:
        if len(text) > LONGEST_CURSOR:
            raise CursorExpired("This cursor is none of ezyVet's.")
        return msgspec.json.decode(text, type=Cursor)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise CursorExpired("This cursor is none of ezyVet's.") from None


def write_cursor(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


async def next_page(
    call: Call, path: str, type_: type[R], mark: Mark, under_way: Round | None, first_filter: dict[str, str]
) -> tuple[list[R], Round | Mark, int]:
    """Read the next page of a list: its news, the round as it stands or the mark that ends it, and when it began.

    `first_filter` narrows the very first round.
    """
    since = mark.since
    query = {"modified_at": compared(gt=str(since - OVERLAP))} if since else first_filter
    number = under_way.next if under_way else 1
    rows, found = await page(call, path, type_, query, number)
    began = under_way.began if under_way else wire.epoch(found.at)
    known = set(mark.seen) | set(under_way.seen if under_way else ())
    news = [row for row in rows if seen_as(row) not in known]
    newest = max([under_way.newest if under_way else since, *(row.modified for row in rows)])
    since = min(began, max(newest, began - SKEW))
    seen = recent([*known, *map(seen_as, rows)], since - OVERLAP)
    if under_way is not None and found.total < under_way.total:
        return news, Round(began=began, total=found.total, next=1, newest=newest, seen=seen), began
    if number < found.pages:
        return news, Round(began=began, total=found.total, next=number + 1, newest=newest, seen=seen), began
    return news, Mark(since=since, seen=seen), began


def seen_as(row: wire.Row) -> Seen:
    return row.id, row.modified, row.looks


def recent(met: list[Seen], after: int) -> list[Seen]:
    """Keep what the next round will meet again; of a mass change only a part, whose rest comes twice."""
    return sorted({one for one in met if one[1] > after}, key=lambda one: (-one[1], one[0], one[2]))[:MOST_SEEN]
