"""The journal: which writes were begun under which key, and how they ended. It outlives a crash at any moment.

That a write was begun is on disk before the write leaves; how it ended is written after. So a write without an end may
have happened, and the PIMS is asked before anything is written under its key again.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pims_adapters._agent.agent.folder import sync_folder

KEPT_FOR = timedelta(days=30)
MOST_KEPT = 20_000


class Written(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A write under a key. Without `ended` it is not known whether it happened; `answer` is the record it made.

    `reported`: vetslot has heard what became of it, even if that is that nobody knows.
    """

    call: str
    key: str
    call_id: str
    begun: datetime
    ended: Literal["done", "not_done"] | None = None
    answer: str | None = None
    reported: bool = False


class Journal:
    """The journal in one file of lines, the last one of a key counting."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path = path
        self._written = _read(path)
        self._shorten(now)
        self._file = path.open("ab", buffering=0)
        self._lines = len(self._written)

    def of(self, call: str, key: str) -> Written | None:
        """Return what is known of a write."""
        return self._written.get((call, key))

    def open_ends(self) -> list[Written]:
        """Return the writes of which vetslot has not heard how they ended."""
        return [each for each in self._written.values() if not each.reported]

    def begin(self, written: Written) -> None:
        """Note, durably, that a write is about to leave."""
        self._note(written)
        os.fsync(self._file.fileno())

    def end(self, written: Written) -> None:
        """Note how a write ended, or that it was reported. Should this be lost, the PIMS is asked."""
        self._note(written)

    def close(self) -> None:
        self._file.close()

    def _note(self, written: Written) -> None:
        self._written.pop((written.call, written.key), None)
        self._written[written.call, written.key] = written
        self._file.write(msgspec.json.encode(written) + b"\n")
        self._lines += 1
        if self._lines > 2 * MOST_KEPT:
            self._file.close()
            self._shorten(written.begun)
            self._file = self._path.open("ab", buffering=0)
            self._lines = len(self._written)

    def _shorten(self, now: datetime) -> None:
        """Forget what is long past, and write the rest anew."""
        kept = [each for each in self._written.values() if not each.reported or each.begun > now - KEPT_FOR]
        self._written = {(each.call, each.key): each for each in kept[-MOST_KEPT:]}
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as file:
            for each in self._written.values():
                file.write(msgspec.json.encode(each) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        sync_folder(self._path.parent)


def _read(path: Path) -> dict[tuple[str, str], Written]:
    """Read the journal; a last line that a crash broke off was not durable, and so nothing had left."""
    written: dict[tuple[str, str], Written] = {}
    if not path.exists():
        return written
    for line in path.read_bytes().splitlines():
        try:
            each = msgspec.json.decode(line, type=Written)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        written.pop((each.call, each.key), None)
        written[each.call, each.key] = each
    return written
