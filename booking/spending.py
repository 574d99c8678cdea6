"""Spending: which numbers may be sent a text, and how many texts a day strangers can make a practice pay for.

Whoever earns on texts to their own numbers has codes sent to them by the thousand ("SMS pumping"). So texts go to
countries that the practice chose, to numbers that can receive one, and at most so many a day; emails go on.
"""

from __future__ import annotations

from datetime import UTC, datetime

import phonenumbers
from phonenumbers import PhoneNumberType

from booking.contacts import Contact
from booking.db.code_texts import count_text, count_text_in_total
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.site import Site

NEVER_TEXTED = {
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.UAN,
    PhoneNumberType.PAGER,
    PhoneNumberType.VOICEMAIL,
}
RANGE_DIGITS = 4


class TextsUsedUp(Exception):
    """We cannot send more texts today. Please give an email address instead, or call the practice."""


def may_be_texted(practice: Practice, contact: Contact) -> bool:
    """Say whether a phone is of a country that the practice texts to, and of a kind that can receive one."""
    number = phonenumbers.parse(contact.value)
    if phonenumbers.number_type(number) in NEVER_TEXTED:
        return False
    country = phonenumbers.region_code_for_number(number)
    if country is None:
        # In a range that nobody is known to have: staff keep such numbers, as new ranges lag behind in every table.
        return number.country_code == phonenumbers.country_code_for_region(practice.region)
    return country in {practice.region, *practice.text_countries}


def number_range(contact: Contact) -> str:
    """Return the ten thousand numbers that a phone is one of: who pumps texts owns ranges, not numbers."""
    return contact.value[:-RANGE_DIGITS]


async def spend_text(conn: Connection, practice: Practice, site: Site, now: datetime) -> None:
    """Count a text against the ceilings of the practice and the installation, in the transaction that queues it.

    Only what strangers can cause counts: a confirmation follows a proven contact. Raises `TextsUsedUp`.
    """
    day = now.astimezone(UTC).date()
    if not await count_text(conn, practice.practice_id, day, practice.texts_per_day):
        raise TextsUsedUp(TextsUsedUp.__doc__)
    if not await count_text_in_total(conn, day, site.texts_per_day):
        raise TextsUsedUp(TextsUsedUp.__doc__)
