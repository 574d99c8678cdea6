"""Staff entry: staff book for a client, through the same claim as everybody, and turn requests into bookings.

Notice, horizon and what is offered online do not bind staff; what is taken does. A double booking is made in the PIMS,
where its staff can see what they do, never through us.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from booking.audited import record, stood
from booking.book import KnownClient, KnownPatient, NewClient, NewPatient, has_what_is_asked, new_patient
from booking.change import tell_pims
from booking.claims import NotFree, claim
from booking.contacts import Contact
from booking.db import appointments, changes, clients, requests
from booking.db import claims as claims_db
from booking.db.appointments import Appointment, Status
from booking.db.claims import Holder
from booking.db.clients import NOWHERE, Client
from booking.db.holds import Wish
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice, raise_schedule_version
from booking.db.write_backs import wake_workers
from booking.enter import Agreed, Party, enter
from booking.holds import SlotTaken
from booking.offers import alternatives, types_for
from booking.once import keep, once
from booking.policies import CannotBeBooked, patients_are_active
from booking.request import contact_of, open_request
from booking.site import Site
from booking.standing import standing


class StaffBooking(Struct, frozen=True, kw_only=True):
    """What staff book. `contact`: how a new client is reached; `tell`: send the client the usual message."""

    appointment_type_id: UUID
    start: datetime
    client: KnownClient | NewClient
    patients: tuple[KnownPatient | NewPatient, ...]
    contact: Contact | None = None
    provider_id: UUID | None = None
    reason: str = ""
    tell: bool = False


class StaffBooked(Struct, frozen=True, kw_only=True, tag="staff_booked"):
    """The appointments stand, one for each patient."""

    appointments: tuple[Appointment, ...]


class ContactMissing(Exception):
    """A new client needs a phone number or an email address."""


class AppointmentUnknown(Exception):
    """There is no such appointment. Please look at the schedule again."""


class MadeInPims(Exception):
    """This appointment was made in the practice's own system. Please change it there."""


class _ForRequest(Struct, frozen=True, kw_only=True):
    """What is kept under an Idempotency-Key."""

    request_id: UUID | None
    booking: StaffBooking


class _TimeLost(Exception):
    """Rolls the transaction back, key included."""

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self.wish = wish


async def book_for_client(
    pool: Pool,
    practice: Practice,
    booking: StaffBooking,
    *,
    request_id: UUID | None = None,
    key: str,
    actor: UUID,
    site: Site,
    now: datetime,
) -> StaffBooked | SlotTaken:
    """Book for a client, once per key; with `request_id`, what that request asked for. `actor`: who of the staff.

    Raises `CannotBeBooked`, `ContactMissing`, `DetailsRefused`, `NotBookableOnline`, `RequestUnknown`,
    `RequestDecided`, `KeyReused`, `KeyBusy`.
    """
    practice_id = practice.practice_id
    try:
        async with of_practice(pool, practice_id) as conn, conn.transaction():
            asked = _ForRequest(request_id=request_id, booking=booking)
            reference = await once(conn, practice_id, key, asked, now)
            if reference is None:
                contact = booking.contact
                if request_id is not None:
                    contact = contact_of(await open_request(conn, practice_id, request_id))
                visits = await _book(conn, practice, booking, contact, site, now)
                for one in visits:
                    await record(conn, practice_id, one.appointment_id, None, stood(one), actor, now)
                reference = visits[0].reference
                if request_id is not None:
                    await requests.decide(conn, practice_id, request_id, "booked", now, reference=reference)
                await keep(conn, practice_id, key, reference)
            return StaffBooked(appointments=await appointments.booking_by_reference(conn, practice_id, reference))
    except _TimeLost as lost:
        return SlotTaken(alternatives=await alternatives(pool, practice, lost.wish, booking.start, now=now))


async def _book(
    conn: Connection, practice: Practice, booking: StaffBooking, contact: Contact | None, site: Site, now: datetime
) -> tuple[Appointment, ...]:
    party = await _party(conn, practice, booking, contact)
    wish = Wish(
        appointment_type_id=booking.appointment_type_id,
        patients=tuple(one.species for one in party.patients),
        new_client=party.new_client,
        provider_id=booking.provider_id,
        by_staff=True,
    )
    stands = await standing(conn, practice.practice_id)
    types = types_for(stands, wish)
    has_what_is_asked(stands.writes, party)
    appointment_ids = [uuid4() for _ in types]
    holders = [Holder(appointment_id=one) for one in appointment_ids]
    claimed = await claim(conn, practice, types, wish, booking.start, now=now, holders=holders)
    if isinstance(claimed, NotFree):
        raise _TimeLost(wish)
    known = await clients.contacts_of(conn, practice.practice_id, party.client.client_id)
    agreed = Agreed(
        party=party,
        appointment_type=types[0],
        appointment_ids=appointment_ids,
        claimed=claimed,
        source="staff",
        contact=(contact or next(iter(known), None)) if booking.tell else None,
        provider_id=booking.provider_id,
        reason=booking.reason,
        writes=stands.writes,
    )
    visits = await enter(conn, practice, agreed, site=site, now=now)
    await wake_workers(conn, "write_back")
    return visits


async def _party(conn: Connection, practice: Practice, booking: StaffBooking, contact: Contact | None) -> Party:
    """Return who comes. Raises `CannotBeBooked` for patients that are not the client's, or no longer alive."""
    client, contacts = await _client(conn, practice, booking, contact)
    known_ids = [one.patient_id for one in booking.patients if isinstance(one, KnownPatient)]
    known = await clients.patients_by_id(conn, practice.practice_id, known_ids) if known_ids else {}
    if len(set(known_ids)) < len(known_ids) or any(
        one not in known or known[one].client_id != client.client_id for one in known_ids
    ):
        raise CannotBeBooked(CannotBeBooked.__doc__)
    patients_are_active(known.values())
    patients = tuple(
        known[one.patient_id] if isinstance(one, KnownPatient) else new_patient(one, client) for one in booking.patients
    )
    return Party(
        client=client,
        new_client=isinstance(booking.client, NewClient),
        patients=patients,
        new_patients=frozenset(one.patient_id for one in patients) - known.keys(),
        contacts=contacts,
        where=booking.client.where if isinstance(booking.client, NewClient) else NOWHERE,
    )


async def _client(
    conn: Connection, practice: Practice, booking: StaffBooking, contact: Contact | None
) -> tuple[Client, tuple[Contact, ...]]:
    """Return the client and, of a new one, how they are reached."""
    if isinstance(booking.client, KnownClient):
        found = await clients.client_by_id(conn, practice.practice_id, booking.client.client_id)
        if found is None:
            raise CannotBeBooked(CannotBeBooked.__doc__)
        return found, ()
    new = booking.client
    contacts = tuple(one for one in (contact, new.other_contact) if one is not None)
    if not contacts:
        raise ContactMissing(ContactMissing.__doc__)
    return Client(client_id=uuid4(), pims_id=None, given_name=new.given_name, family_name=new.family_name), contacts


async def reference_of(pool: Pool, practice: Practice, appointment_id: UUID) -> str:
    """Return the reference of the booking that an appointment is part of.

    Raises `AppointmentUnknown`, and `MadeInPims` for what is the PIMS's to change.
    """
    async with of_practice(pool, practice.practice_id) as conn:
        if await changes.status_of(conn, practice.practice_id, appointment_id) is None:
            raise AppointmentUnknown(AppointmentUnknown.__doc__)
        reference = await changes.reference_of(conn, practice.practice_id, appointment_id)
    if reference is None:
        raise MadeInPims(MadeInPims.__doc__)
    return reference


class CannotStandSo(Exception):
    """A cancelled appointment cannot arrive, be over or be missed. Please book it again."""


async def note(
    pool: Pool, practice: Practice, appointment_id: UUID, status: Status, *, actor: UUID, now: datetime
) -> None:
    """Note that a patient arrived, was seen or did not come. Raises `AppointmentUnknown`, `CannotStandSo`.

    The PIMS is told, too; what it says next counts.
    """
    async with of_practice(pool, practice.practice_id) as conn, conn.transaction():
        practice_id = practice.practice_id
        stands = await changes.lock_standing(conn, practice_id, appointment_id)
        if stands is None:
            raise AppointmentUnknown(AppointmentUnknown.__doc__)
        if stands.status == "cancelled":
            raise CannotStandSo(CannotStandSo.__doc__)
        await changes.set_status(conn, practice.practice_id, appointment_id, status, raise_sequence=False)
        if stands.status != status:
            await tell_pims(conn, practice, appointment_id, "status", now)
        if status == "no_show":
            await claims_db.free_appointment(conn, practice.practice_id, appointment_id)
            await raise_schedule_version(conn, practice.practice_id)
        noted = msgspec.structs.replace(stands, status=status)
        await record(conn, practice_id, appointment_id, stands, noted, actor, now)
