"""Policies: what a practice allows of those who book online; each is a function that returns or raises a `Refused`.

`book` asks them once the contact is proven, never before: an answer could tell a stranger who is a client.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from booking.db.clients import Patient
from booking.db.practices import Practice
from booking.db.who_books import Record

URGENT_WORDS = (
    "not breathing", "can't breathe", "cannot breathe", "struggling to breathe", "trouble breathing", "choking",
    "seizure", "seizures", "seizing", "convulsions", "collapsed", "collapse", "unconscious", "unresponsive",
    "bloat", "bloated", "poison", "poisoned", "poisoning", "rat bait", "antifreeze", "xylitol", "snake bite",
    "snakebite", "heat stroke", "heatstroke", "hit by a car", "hit by car", "bleeding heavily", "won't stop bleeding",
    "can't pee", "cannot pee", "can't urinate", "cannot urinate",
)  # fmt: skip
"""What stops a booking where the practice has no list of its own."""


class Refused(Exception):
    """This cannot be booked online. Please call the practice."""


class NewClientsNotWelcome(Refused):
    """The practice takes online bookings from its own clients. You can ask for an appointment instead."""


class CannotBeBooked(Refused):
    """This pet cannot be booked online. Please call the practice."""


class NotOnline(Refused):
    """This cannot be booked online. Please call the practice."""


class TooManyBookings(Refused):
    """You have several appointments booked online already. Please call the practice to book another one."""


class TooManyBookingsOfPatient(Refused):
    """This pet has appointments booked online already. Please call the practice to book another one."""


class Urgent(Refused):
    """This sounds urgent, so please do not wait for an appointment. Call the practice now."""

    def __init__(self, practice: Practice) -> None:
        """Say whom to call, and what the practice says to do in an emergency."""
        super().__init__(" ".join(filter(None, [self.__doc__, practice.phone, practice.emergency_text])))
        self.members = {"phone": practice.phone, "emergency_text": practice.emergency_text}


def new_clients_are_welcome(practice: Practice) -> None:
    """Refuse who is not a client yet, where the practice books its own clients only."""
    if practice.who_may_book == "existing_clients":
        raise NewClientsNotWelcome(NewClientsNotWelcome.__doc__)


def patients_are_active(patients: Iterable[Patient]) -> None:
    """Refuse patients that died or are no longer the practice's, in the same words for both."""
    if any(one.status != "active" for one in patients):
        raise CannotBeBooked(CannotBeBooked.__doc__)


def nobody_is_blocked(record: Record) -> None:
    """Refuse whom the practice does not want to book online, without saying so."""
    if record.blocked:
        raise NotOnline(NotOnline.__doc__)


def client_has_few_bookings(practice: Practice, record: Record) -> None:
    """Refuse one booking more than the practice lets a client have open."""
    if record.open_bookings >= practice.open_bookings_per_client:
        raise TooManyBookings(TooManyBookings.__doc__)


def patients_have_few_bookings(practice: Practice, record: Record) -> None:
    """Refuse one booking more than the practice lets a patient have open."""
    if record.open_bookings_of_a_patient >= practice.open_bookings_per_patient:
        raise TooManyBookingsOfPatient(TooManyBookingsOfPatient.__doc__)


def nothing_is_urgent(practice: Practice, said: Iterable[str]) -> None:
    """Stop who describes an emergency and send them to the phone. There is no way past it."""
    words = URGENT_WORDS if practice.urgent_words is None else practice.urgent_words
    alarm = _alarm(tuple(words))
    if any(alarm.search(_plain(text)) for text in said if text):
        raise Urgent(practice)


@lru_cache(maxsize=200)
def _alarm(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds any of these words in a plain text; of no words, nothing."""
    plain = [re.escape(one) for word in words if (one := _plain(word))]
    return re.compile(rf"(?<!\w)(?:{'|'.join(plain)})(?!\w)" if plain else r"(?!)")


def _plain(text: str) -> str:
    """Return a text without accents, capitals, curly apostrophes and double spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return " ".join("".join(one for one in letters if not unicodedata.combining(one)).split())
