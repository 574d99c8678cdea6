"""Book: turn a hold and a proven contact into appointments, all of it in one transaction.

The same transaction writes client, patients, an appointment for each, claims, the kept answer of the request's key, the
outbox towards the PIMS and the confirmation message. When it commits, the booking stands; the worker does the rest.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from booking.claims import NotFree, claim
from booking.contacts import Contact
from booking.db import appointments, holds
from booking.db.appointments import Appointment
from booking.db.claims import Holder
from booking.db.clients import NOWHERE, Client, Patient, Where
from booking.db.connections import Writes
from booking.db.holds import Hold, Wish
from booking.db.pool import Connection, Pool, in_practice
from booking.db.practices import Practice
from booking.db.who_books import lock_contact, who_books
from booking.db.write_backs import WAKE_FOR_WRITE_BACKS
from booking.details import check_details
from booking.enter import Agreed, Party, enter
from booking.holds import HoldUnknown, SlotTaken
from booking.offers import OfferedSlot, alternatives, types_for
from booking.once import once
from booking.policies import (
    CannotBeBooked,
    client_has_few_bookings,
    new_clients_are_welcome,
    nobody_is_blocked,
    nothing_is_urgent,
    patients_are_active,
    patients_have_few_bookings,
)
from booking.questions import Answer, check_answers, questions_among
from booking.site import Site
from booking.standing import standing_at
from booking.tokens import digest, manage_token
from booking.visits import BookingSeen, read_booking
from booking.visits import seen as whole_seen


class KnownClient(Struct, frozen=True, kw_only=True, tag="known"):
    """A client whom the proven contact reaches."""

    client_id: UUID


class NewClient(Struct, frozen=True, kw_only=True, tag="new"):
    """Somebody whom the practice does not know yet; their other contact is not proven, only noted."""

    given_name: str
    family_name: str
    other_contact: Contact | None = None
    where: Where = NOWHERE


class KnownPatient(Struct, frozen=True, kw_only=True, tag="known"):
    """A patient of that client."""

    patient_id: UUID


class NewPatient(Struct, frozen=True, kw_only=True, tag="new"):
    """An animal that the practice does not know yet."""

    name: str
    species: str
    breed: str = ""
    sex: Literal["", "female", "female_spayed", "male", "male_neutered"] = ""
    birth_date: date | None = None


class Booking(Struct, frozen=True, kw_only=True):
    """What is to be booked. `contact` must have been proven by the same person who sends this.

    `patients` are seen in this order; where they are not those of the hold's wish, the hold's time must suit them, too.
    """

    hold_id: UUID
    hold_secret: str
    contact: Contact
    client: KnownClient | NewClient
    patients: tuple[KnownPatient | NewPatient, ...]
    reason: str = ""
    answers: tuple[Answer, ...] = ()


class Booked(Struct, frozen=True, kw_only=True, tag="booked"):
    """The appointments stand in our schedule, one for each patient; `manage_token` is the secret of their link."""

    seen: BookingSeen
    manage_token: str

    @property
    def appointments(self) -> tuple[Appointment, ...]:
        """Each patient's, in order."""
        return tuple(one.appointment for one in self.seen.visits)

    @property
    def appointment(self) -> Appointment:
        """The first patient's."""
        return self.appointments[0]


async def book(
    pool: Pool, practice: Practice, booking: Booking, *, key: str, site: Site, now: datetime, wait: bool = False
) -> Booked | SlotTaken:
    """Book, once per key: the same key with the same booking is given the same answer again.

    `wait` for the first request with this key, should it still run, instead of raising `KeyBusy`.

    Raises `HoldUnknown`, `Refused` for what the practice does not allow, `DetailsRefused`, `AnswersRefused`,
    `NotBookableOnline`, `KeyReused`, `KeyBusy`.
    """
    try:
        # Workers are woken after the commit: transactions that notify commit one at a time in the whole server.
        async with in_practice(pool, practice.practice_id, then=WAKE_FOR_WRITE_BACKS) as conn:
            reference = await once(conn, practice.practice_id, key, booking, now, wait=wait)
            if reference is None:
                seen = await _book(conn, practice, booking, key, site, now)
            else:
                visits = await appointments.booking_by_reference(conn, practice.practice_id, reference)
                seen = await read_booking(conn, practice, visits)
    except _TimeLost as lost:
        return SlotTaken(alternatives=await lost.alternatives(pool, practice, now))
    token = manage_token(site.secret_key, practice.practice_id, seen.visits[0].appointment.appointment_id)
    return Booked(seen=seen, manage_token=token)


class _TimeLost(Exception):
    """Rolls the transaction back, key and hold included."""

    def __init__(self, hold: Hold, wish: Wish) -> None:
        super().__init__()
        self.hold = hold
        self.wish = wish

    async def alternatives(self, pool: Pool, practice: Practice, now: datetime) -> list[OfferedSlot]:
        start, own = self.hold.starts_at, (self.hold.hold_id,)
        return await alternatives(pool, practice, self.wish, start, now=now, own=own)


async def _book(
    conn: Connection, practice: Practice, booking: Booking, key: str, site: Site, now: datetime
) -> BookingSeen:
    practice_id = practice.practice_id
    nothing_is_urgent(practice, [booking.reason, *(one.answer for one in booking.answers)])
    version, hold = await holds.version_and_hold(conn, practice_id, booking.hold_id, digest(booking.hold_secret))
    if hold is None:
        raise HoldUnknown(HoldUnknown.__doc__)
    party = await _party(conn, practice, booking, now)
    wish = msgspec.structs.replace(
        hold.wish, new_client=party.new_client, patients=tuple(one.species for one in party.patients)
    )
    stands = await standing_at(conn, practice_id, version)
    types = types_for(stands, wish)
    has_what_is_asked(stands.writes, party)
    questions = questions_among(stands, types[0], new_client=party.new_client)
    answers = check_answers(questions, booking.answers)

    appointment_ids = [uuid4() for _ in types]
    claimed = await claim(
        conn,
        practice,
        types,
        wish,
        hold.starts_at,
        now=now,
        holders=[Holder(appointment_id=one) for one in appointment_ids],
        instead_of=hold,
    )
    if isinstance(claimed, NotFree):
        raise _TimeLost(hold, wish)

    agreed = Agreed(
        party=party,
        appointment_type=types[0],
        appointment_ids=appointment_ids,
        claimed=claimed,
        source="online",
        contact=booking.contact,
        provider_id=wish.provider_id,
        reason=booking.reason,
        answers=answers,
        writes=stands.writes,
    )
    visits = await enter(conn, practice, agreed, site=site, now=now, key=key)
    goes_to_pims = stands.writes is not None and stands.writes.can("creates_appointments")
    patients = {one.patient_id: one for one in party.patients}
    return whole_seen(stands, types[0], visits, patients, "queued" if goes_to_pims else None)


async def _party(conn: Connection, practice: Practice, booking: Booking, now: datetime) -> Party:
    """Return who comes, if the practice allows it. Raises `Refused`."""
    practice_id, contact = practice.practice_id, booking.contact
    await lock_contact(conn, practice_id, contact)
    new_client = isinstance(booking.client, NewClient)
    known_ids = [one.patient_id for one in booking.patients if isinstance(one, KnownPatient)]
    who = await who_books(
        conn,
        practice_id,
        contact,
        now,
        # Who says that they are new is counted with everybody whom their contact reaches.
        client_id=booking.client.client_id if isinstance(booking.client, KnownClient) else None,
        patient_ids=known_ids,
    )
    client = _client(practice, booking, who.reached)
    known = {one.patient_id: one for one in who.patients}
    if len(set(known_ids)) < len(known_ids) or any(
        one not in known or known[one].client_id != client.client_id for one in known_ids
    ):
        raise CannotBeBooked(CannotBeBooked.__doc__)
    patients_are_active(who.patients)
    nobody_is_blocked(who)
    client_has_few_bookings(practice, who)
    patients_have_few_bookings(practice, who)

    patients = tuple(
        known[one.patient_id] if isinstance(one, KnownPatient) else new_patient(one, client) for one in booking.patients
    )
    return Party(
        client=client,
        new_client=new_client,
        patients=patients,
        new_patients=frozenset(one.patient_id for one in patients) - known.keys(),
        contacts=_contacts(booking),
        where=booking.client.where if isinstance(booking.client, NewClient) else NOWHERE,
    )


def has_what_is_asked(writes: Writes | None, party: Party) -> None:
    """Refuse who is new and lacks what the practice's PIMS requires of them. Raises `DetailsRefused`."""
    check_details(
        writes.asks if writes else (),
        client=party.client if party.new_client else None,
        contacts=party.contacts,
        where=party.where,
        patients=[(n, one) for n, one in enumerate(party.patients) if one.patient_id in party.new_patients],
    )


def _contacts(booking: Booking) -> tuple[Contact, ...]:
    """Return how a new client can be reached."""
    if not isinstance(booking.client, NewClient):
        return ()
    return tuple(filter(None, (booking.contact, booking.client.other_contact)))


def _client(practice: Practice, booking: Booking, reached: list[Client]) -> Client:
    """Return the client: known ones must be reached by the proven contact."""
    if isinstance(booking.client, NewClient):
        new_clients_are_welcome(practice)
        new = booking.client
        return Client(client_id=uuid4(), pims_id=None, given_name=new.given_name, family_name=new.family_name)
    for one in reached:
        if one.client_id == booking.client.client_id:
            return one
    raise CannotBeBooked(CannotBeBooked.__doc__)


def new_patient(new: NewPatient, client: Client) -> Patient:
    """Return an animal as a patient of its client."""
    return Patient(
        patient_id=uuid4(),
        client_id=client.client_id,
        pims_id=None,
        name=new.name,
        species=new.species,
        breed=new.breed,
        sex=new.sex,
        birth_date=new.birth_date,
        status="active",
    )
