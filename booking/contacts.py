"""Phones and emails in the one form in which they are compared: E.164, or lower case."""

from __future__ import annotations

import re
from typing import Literal

import phonenumbers
from msgspec import Struct

EMAIL = re.compile(r"[^@\s\x00-\x1f,;<>\"()\\]{1,64}@[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63})+", re.IGNORECASE)
LONGEST = 200


class Contact(Struct, frozen=True, kw_only=True):
    """A phone in E.164 (`+12125550101`) or an email in lower case."""

    kind: Literal["phone", "email"]
    value: str


class ContactUnreadableError(ValueError):
    """Please enter a phone number with its area code, or an email address."""


def read_contact(typed: str, region: str) -> Contact:
    """Read what a person typed into the one field for phone or email.

    `region` is the practice's (`US`), assumed for a number without a country code. Raises `ContactUnreadableError`.
    """
    contact = read_email(typed) if "@" in typed else read_phone(typed, region)
    if contact is None:
        raise ContactUnreadableError(ContactUnreadableError.__doc__)
    return contact


def read_email(typed: str) -> Contact | None:
    """Read an email address, or None."""
    value = typed.strip().lower()
    if len(value) > LONGEST or EMAIL.fullmatch(value) is None:
        return None
    return Contact(kind="email", value=value)


def read_phone(typed: str, region: str) -> Contact | None:
    """Read a phone number in the form a practice's staff may have typed it: `212 555-0101 (Bob work)`.

    Possible numbers are enough: practices keep numbers of new and reserved ranges that a validity table lags behind.
    """
    if len(typed) > LONGEST:
        return None
    match = next(iter(phonenumbers.PhoneNumberMatcher(typed, region, phonenumbers.Leniency.POSSIBLE)), None)
    if match is None or not phonenumbers.is_possible_number(match.number):
        return None
    if phonenumbers.is_possible_number_with_reason(match.number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return Contact(kind="phone", value=phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164))
