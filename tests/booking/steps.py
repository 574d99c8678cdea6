"""What a client does, in a line each: the steps that the tests of booking are told in."""

from __future__ import annotations

from datetime import datetime

from booking.book import Booked, Booking, KnownClient, KnownPatient, NewClient, NewPatient, book
from booking.contacts import read_contact
from booking.db.holds import Wish
from booking.holds import Held, SlotTaken, hold
from booking.identify import accounts_of
from booking.site import Site
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.booking.conftest import NOW, Riverside

SECRET_KEY = b"a key of thirty-two bytes or more"
SITE = Site(public_url="https://book.example", secret_key=SECRET_KEY)


async def hold_first(riverside: Riverside, wish: Wish, *, now: datetime = NOW) -> Held:
    """Hold the first time that is offered."""
    slot = (await riverside.slots(wish, now=now))[0]
    held = await hold(riverside.pool, riverside.practice, wish, slot.start, now=now)
    assert isinstance(held, Held)
    return held


async def olivias_booking(riverside: Riverside, held: Held, *, reason: str = "") -> Booking:
    """Say what Olivia Carter books for her dog Biscuit."""
    contact = read_contact(OLIVIA_CARTER.phone or "", "US")
    (account,) = await accounts_of(riverside.pool, riverside.practice, contact)
    biscuit = next(one for one in account.patients if one.name == "Biscuit")
    return Booking(
        hold_id=held.hold.hold_id,
        hold_secret=held.secret,
        contact=contact,
        client=KnownClient(client_id=account.client.client_id),
        patients=(KnownPatient(patient_id=biscuit.patient_id),),
        reason=reason,
    )


def strangers_booking(held: Held, *, contact: str = "+12125550777", species: str = "dog") -> Booking:
    """Say what somebody books whom the practice does not know."""
    return Booking(
        hold_id=held.hold.hold_id,
        hold_secret=held.secret,
        contact=read_contact(contact, "US"),
        client=NewClient(given_name="Noor", family_name="Haddad"),
        patients=(NewPatient(name="Zuzu", species=species, breed="Mixed"),),
    )


async def send(riverside: Riverside, booking: Booking, key: str, *, now: datetime = NOW) -> Booked | SlotTaken:
    """Book."""
    return await book(
        riverside.pool,
        riverside.practice,
        booking,
        key=key,
        site=SITE,
        now=now,
        wait=True,
    )
