"""Forms: what a person typed, read field by field; what cannot stand gets a sentence beside its field."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from urllib.parse import parse_qsl
from uuid import UUID

from litestar.exceptions import ClientException

from booking.contacts import Contact, ContactUnreadableError, read_contact, read_email, read_phone
from widget.state import HttpRequest

MOST_FIELDS = 100
OLDEST_YEARS = 120


async def read_form(request: HttpRequest) -> Form:
    """Read a submitted form. Raises `ClientException` where it is none that our pages send."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise ClientException("Send this form as our page does.")
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as unreadable:
        raise ClientException("The form is garbled.") from unreadable
    return Form(dict(pairs))


class Form:
    """The fields of a form as they were typed (`values`), and what is wrong with them (`errors`), both by name."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        """Start with what was typed, or with what a form is to show at first."""
        self.values: defaultdict[str, str] = defaultdict(str, values or {})
        self.errors: dict[str, str] = {}

    def line(self, name: str, *, most: int, missing: str = "") -> str:
        """Read one line of text of at most so many letters; where `missing` is said, it must not be empty."""
        return self._text(name, " ".join(_readable(self.values[name]).split()), most, missing)

    def lines(self, name: str, *, most: int, missing: str = "") -> str:
        """Read text that may have several lines."""
        typed = _readable(self.values[name].replace("\r\n", "\n"), also="\n")
        return self._text(name, typed.strip(), most, missing)

    def _text(self, name: str, value: str, most: int, missing: str) -> str:
        self.values[name] = value
        if not value and missing:
            self.errors[name] = missing
        elif len(value) > most:
            self.errors[name] = f"Please use at most {most} letters; these are {len(value)}."
        return value

    def chosen(self, name: str, among: Collection[str], *, missing: str) -> str:
        """Read a choice; empty, and an error, where it is none of those offered."""
        value = self.values[name]
        if value in among:
            return value
        self.errors[name] = missing
        return ""

    def contact(self, name: str, region: str, *, missing: str) -> Contact | None:
        """Read a phone or an email from one field."""
        typed = self.line(name, most=200, missing=missing)
        if name in self.errors:
            return None
        try:
            return read_contact(typed, region)
        except ContactUnreadableError as unreadable:
            self.errors[name] = str(unreadable)
            return None

    def other_contact(self, name: str, region: str, proven: Contact) -> Contact | None:
        """Read an email from somebody who proved a phone, and the other way round; it may be empty."""
        typed = self.line(name, most=200)
        if not typed or name in self.errors:
            return None
        found = read_email(typed) if proven.kind == "phone" else read_phone(typed, region)
        if found is None:
            what = "an email address, like sam@example.com" if proven.kind == "phone" else "a number with its area code"
            self.errors[name] = f"Please enter {what}, or leave this empty."
        return found

    def birth_date(self, name: str, today: date) -> date | None:
        """Read a date of birth, which may be empty but not ahead."""
        typed = self.line(name, most=20)
        if not typed:
            return None
        try:
            value = date.fromisoformat(typed)
        except ValueError:
            self.errors[name] = "Please enter the date as year-month-day, like 2023-04-30, or leave this empty."
            return None
        if not today.year - OLDEST_YEARS <= value.year or value > today:
            self.errors[name] = "Please enter a date that is in the past, or leave this empty."
            return None
        return value


def uuid_of(text: str) -> UUID | None:
    """Return an id from an address or a form, or None."""
    try:
        return UUID(text) if len(text) == len("00000000-0000-0000-0000-000000000000") else None
    except ValueError:
        return None


def _readable(text: str, also: str = "") -> str:
    """Drop what cannot be seen (PostgreSQL refuses NUL) and compose accents, so that equal words are equal."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        sign if sign in also or unicodedata.category(sign) not in ("Cc", "Cs", "Co", "Cn") else " " for sign in composed
    )
