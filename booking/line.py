"""A line in front of what only one at a time can do: who waits here holds no connection meanwhile.

The database has the last word with its own locks. A few go on to wait there, so that no time is lost between one and
the next; the rest of fifty who want one time leave the connections to others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from msgspec import Struct

AT_ONCE = 3


class _Line(Struct):
    """`people`: those who wait, and those whose turn it is."""

    turns: asyncio.Semaphore
    people: int = 0


_lines: dict[Hashable, _Line] = {}


@asynccontextmanager
async def in_line(what: Hashable) -> AsyncIterator[None]:
    """Let those of this process who want the same go on a few at a time, in the order in which they came."""
    line = _lines.setdefault(what, _Line(turns=asyncio.Semaphore(AT_ONCE)))
    line.people += 1
    try:
        async with line.turns:
            yield
    finally:
        line.people -= 1
        if line.people == 0:
            del _lines[what]
