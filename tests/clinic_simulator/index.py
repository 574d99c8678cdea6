"""Where to look for a record by a word in its notes, a phone or an email, without reading all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from pims_adapters._agent.protocol import AnyRow, Client

WORD = re.compile(r"[\w-]+")


def digits_of(phone: str) -> str:
    """Return the last ten digits of a phone as typed."""
    return re.sub(r"\D", "", phone)[-10:]


def email_of(email: str) -> str:
    return email.strip().casefold()


class Index:
    """The identifiers of one table's records by what they are looked for by, in the order they were entered."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, None]] = defaultdict(dict)

    def add(self, row: AnyRow) -> None:
        for key in _keys(row):
            self._ids[key][row.id] = None

    def remove(self, row: AnyRow) -> None:
        for key in _keys(row):
            self._ids[key].pop(row.id, None)

    def with_marker(self, marker: str) -> list[str]:
        """Return those whose notes may carry the marker: they have its longest word."""
        words: list[str] = WORD.findall(marker)
        return list(self._ids.get(f"word:{max(words, key=len)}", ())) if words else []

    def with_phone(self, phone: str) -> list[str]:
        return list(self._ids.get(f"phone:{digits_of(phone)}", ()))

    def with_email(self, email: str) -> list[str]:
        return list(self._ids.get(f"email:{email_of(email)}", ()))


def _keys(row: AnyRow) -> Iterator[str]:
    notes = getattr(row, "notes", "")
    for word in WORD.findall(notes):
        yield f"word:{word}"
    if isinstance(row, Client):
        yield from (f"phone:{digits_of(phone)}" for phone in row.phones)
        yield from (f"email:{email_of(email)}" for email in row.emails)
