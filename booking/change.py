"""Change: move, cancel or confirm a booking, all its visits together, inside the windows that the practice sets.

Each is one transaction: claims, appointments, the outbox towards the PIMS and the message to the client. The visits'
rows are locked first, then the days, so that changes of one booking come one after the other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from msgspec import Struct

from booking.audited import audited
from booking.calendar_file import calendar_file
from booking.claims import NotFree, claim
from booking.db import appointments, changes, clients, practices, write_backs
from booking.db import claims as claims_db
from booking.db.appointments import Appointment, Status
from booking.db.changes import Visit
from booking.db.claims import Holder
from booking.db.clients import Patient
from booking.db.holds import Wish
from booking.db.messages import queue_message
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.webhooks import Event
from booking.db.write_backs import Action
from booking.holds import SlotTaken
from booking.messages import cancelled_message, named, rescheduled_message
from booking.offers import alternatives, wished_types
from booking.once import keep, once
from booking.policies import patients_are_active
from booking.site import Site
from booking.tokens import manage_token
from booking.visits import read_booking, whole
from booking.webhooks import announce

By = Literal["client", "staff"]
"""Staff know what they do: windows and limits are for clients."""
OPEN: tuple[Status, ...] = ("booked", "confirmed")


class Changed(Struct, frozen=True, kw_only=True, tag="changed"):
    """The booking as it stands now."""

    appointments: tuple[Appointment, ...]


class Allowed(Struct, frozen=True, kw_only=True):
    """What a client may do with a booking online at the moment."""

    confirm: bool
    move: bool
    cancel: bool


class BookingUnknown(Exception):
    """There is no such booking, or it is not yours. Please check its reference."""


class NoLongerChangeable(Exception):
    """This visit is over, under way or cancelled, so it cannot be changed. Please call the practice."""


class TooLate(Exception):
    """The visit is too soon to change it online. Please call the practice."""


class MovedTooOften(Exception):
    """This visit has been moved several times already. Please call the practice to move it again."""


class _Move(Struct, frozen=True, kw_only=True):
    """What is asked, as it is kept under an Idempotency-Key."""

    reference: str
    start: datetime


class _TimeLost(Exception):
    """Rolls the transaction back: the old time is kept."""

    def __init__(self, wish: Wish, visits: list[Visit]) -> None:
        super().__init__()
        self.wish = wish
        self.own = tuple(one.appointment_id for one in visits)


async def reschedule(
    pool: Pool,
    practice: Practice,
    reference: str,
    start: datetime,
    *,
    key: str | None = None,
    by: By,
    actor: UUID | None = None,
    site: Site,
    now: datetime,
) -> Changed | SlotTaken:
    """Move a booking to another time, for the same patients and the provider asked for; others may serve else.

    `actor`: who of the staff, for the audit log.

    Raises `BookingUnknown`, `NoLongerChangeable`, `TooLate`, `MovedTooOften`, `NotBookableOnline`, `CannotBeBooked`,
    `KeyReused`, `KeyBusy`.
    """
    practice_id = practice.practice_id
    try:
        async with of_practice(pool, practice_id) as conn, conn.transaction():
            asked = _Move(reference=reference, start=start)
            if key is None or await once(conn, practice_id, key, asked, now) is None:
                async with audited(conn, practice.practice_id, reference, actor, now):
                    await _move(conn, practice, reference, start, by=by, site=site, now=now)
                if key is not None:
                    await keep(conn, practice_id, key, reference)
            return await _as_it_stands(conn, practice, reference)
    except _TimeLost as lost:
        return SlotTaken(alternatives=await alternatives(pool, practice, lost.wish, start, now=now, own=lost.own))


async def _move(
    conn: Connection, practice: Practice, reference: str, start: datetime, *, by: By, site: Site, now: datetime
) -> None:
    practice_id = practice.practice_id
    visits = await _open_visits(conn, practice, reference, now)
    if visits[0].starts_at == start:
        return
    if by == "client":
        allowed = await changes.windows(conn, practice_id)
        if visits[0].starts_at - now < allowed.reschedule_window:
            raise TooLate(f"{TooLate.__doc__} {practice.phone}")
        if max(one.reschedules for one in visits) >= allowed.max_reschedules:
            raise MovedTooOften(f"{MovedTooOften.__doc__} {practice.phone}")
    patients = await clients.patients_by_id(conn, practice_id, [one.patient_id for one in visits])
    patients_are_active(patients.values())
    wish = _wish(visits, patients, by)
    types = await wished_types(conn, practice, wish)
    # What the booking takes and counts for is free for its own new time, until the transaction ends either way.
    await changes.set_aside(conn, practice_id, [one.appointment_id for one in visits])
    claimed = await claim(
        conn,
        practice,
        types,
        wish,
        start,
        now=now,
        holders=[Holder(appointment_id=one.appointment_id) for one in visits],
        prefer=visits[0].resources,
    )
    if isinstance(claimed, NotFree):
        raise _TimeLost(wish, visits)
    for visit, span in zip(visits, claimed.visits, strict=True):
        await changes.move(
            conn, practice_id, visit.appointment_id, span.start, span.end, claimed.resources, counted=by == "client"
        )
    await _tell_pims(conn, practice, visits, "change", now)
    await tell_client(conn, practice, visits, "change", site, now)
    await _announce(conn, practice, visits, "appointment.rescheduled", now)


def _wish(visits: list[Visit], patients: dict[UUID, Patient], by: By) -> Wish:
    """Return what was wished for when the booking was made."""
    return Wish(
        appointment_type_id=visits[0].appointment_type_id,
        patients=tuple(patients[one.patient_id].species for one in visits),
        new_client=visits[0].new_client,
        provider_id=visits[0].provider_id,
        by_staff=by == "staff",
    )


async def wish_of(pool: Pool, practice: Practice, reference: str) -> Wish:
    """Return what a booking's client wished for, to look for another time for it. Raises `BookingUnknown`."""
    async with of_practice(pool, practice.practice_id) as conn:
        visits = _there(await changes.visits_of(conn, practice.practice_id, reference))
        patients = await clients.patients_by_id(conn, practice.practice_id, [one.patient_id for one in visits])
    return _wish(visits, patients, "client")


async def allowed(pool: Pool, practice: Practice, reference: str, *, now: datetime) -> Allowed:
    """Return what a client may still do with a booking online. Raises `BookingUnknown`."""
    async with of_practice(pool, practice.practice_id) as conn:
        visits = _there(await changes.visits_of(conn, practice.practice_id, reference))
        visits = [one for one in visits if one.status in OPEN]
        windows = await changes.windows(conn, practice.practice_id)
    left = visits[0].starts_at - now if visits else timedelta()
    ahead = left > timedelta()
    return Allowed(
        confirm=ahead and any(one.status == "booked" for one in visits),
        move=ahead
        and left >= windows.reschedule_window
        and max(one.reschedules for one in visits) < windows.max_reschedules,
        cancel=ahead and left >= windows.cancel_window,
    )


async def cancel(
    pool: Pool, practice: Practice, reference: str, *, by: By, actor: UUID | None = None, site: Site, now: datetime
) -> Changed:
    """Cancel a booking: its time is free at once. One that is cancelled stays so. `actor`: as for `reschedule`.

    Raises `BookingUnknown`, `NoLongerChangeable`, `TooLate`.
    """
    practice_id = practice.practice_id
    async with (
        of_practice(pool, practice_id) as conn,
        conn.transaction(),
        audited(conn, practice_id, reference, actor, now),
    ):
        all_visits = await _visits(conn, practice, reference)
        if any(one.status != "cancelled" for one in all_visits):
            visits = await _open_visits(conn, practice, reference, now)
            if by == "client":
                allowed = await changes.windows(conn, practice_id)
                if visits[0].starts_at - now < allowed.cancel_window:
                    raise TooLate(f"{TooLate.__doc__} {practice.phone}")
            for visit in visits:
                await changes.set_status(conn, practice_id, visit.appointment_id, "cancelled", raise_sequence=True)
                await claims_db.free_appointment(conn, practice_id, visit.appointment_id)
            await practices.raise_schedule_version(conn, practice_id)
            await _tell_pims(conn, practice, visits, "cancel", now)
            await tell_client(conn, practice, visits, "cancel", site, now)
            await _announce(conn, practice, visits, "appointment.cancelled", now)
        return await _as_it_stands(conn, practice, reference)


async def confirm(
    pool: Pool, practice: Practice, reference: str, *, actor: UUID | None = None, now: datetime
) -> Changed:
    """Say that the client will come. `actor`: as for `reschedule`. Raises `BookingUnknown`, `NoLongerChangeable`."""
    async with (
        of_practice(pool, practice.practice_id) as conn,
        conn.transaction(),
        audited(conn, practice.practice_id, reference, actor, now),
    ):
        visits = await _open_visits(conn, practice, reference, now)
        unconfirmed = [one for one in visits if one.status == "booked"]
        for visit in unconfirmed:
            appointment_id = visit.appointment_id
            await changes.set_status(conn, practice.practice_id, appointment_id, "confirmed", raise_sequence=False)
        await _tell_pims(conn, practice, unconfirmed, "confirm", now)
        await _announce(conn, practice, unconfirmed, "appointment.confirmed", now)
        return await _as_it_stands(conn, practice, reference)


async def _visits(conn: Connection, practice: Practice, reference: str) -> list[Visit]:
    return _there(await changes.lock_booking(conn, practice.practice_id, reference))


def _there(visits: list[Visit]) -> list[Visit]:
    if not visits:
        raise BookingUnknown(BookingUnknown.__doc__)
    return visits


async def _open_visits(conn: Connection, practice: Practice, reference: str, now: datetime) -> list[Visit]:
    """Return the visits that can still be changed, locked, in their order."""
    visits = [one for one in await _visits(conn, practice, reference) if one.status in OPEN]
    if not visits or visits[0].starts_at <= now:
        raise NoLongerChangeable(f"{NoLongerChangeable.__doc__} {practice.phone}")
    return visits


async def _as_it_stands(conn: Connection, practice: Practice, reference: str) -> Changed:
    return Changed(appointments=await appointments.booking_by_reference(conn, practice.practice_id, reference))


REPLACES: dict[Action, list[Action]] = {
    "change": ["change", "confirm", "status"],
    "cancel": ["create", "change", "confirm", "status"],
    "confirm": ["confirm"],
    "status": ["confirm", "status"],
}
"""Which unsent lines of the outbox a new one makes pointless."""


async def _tell_pims(conn: Connection, practice: Practice, visits: list[Visit], action: Action, now: datetime) -> None:
    for visit in visits:
        await tell_pims(conn, practice, visit.appointment_id, action, now)


async def tell_pims(conn: Connection, practice: Practice, appointment_id: UUID, action: Action, now: datetime) -> None:
    """Queue a change of an appointment, where the practice has a PIMS that has it, or will."""
    practice_id = practice.practice_id
    await write_backs.supersede(
        conn, practice_id, appointment_id, REPLACES[action], "Changed again before it was sent."
    )
    if action in ("change", "cancel"):
        # What the PIMS refused to create may do at the new time; what is cancelled may yet be found there.
        await write_backs.try_creation_again(conn, practice_id, appointment_id, now)
    if await write_backs.creation_matters(conn, practice_id, appointment_id):
        await write_backs.queue_change(conn, practice_id, uuid4(), appointment_id, action, now)
    await write_backs.wake_workers(conn, "write_back")


async def tell_client(
    conn: Connection, practice: Practice, changed: list[Visit], action: Action, site: Site, now: datetime
) -> None:
    """Queue the message, with the calendar's entry, to the contact with which it was booked, if anybody is to be told.

    Call it after the visits' rows are written.
    """
    contact = changed[0].contact
    if contact is None:
        return
    practice_id = practice.practice_id
    visits = await appointments.booking_by_reference(conn, practice_id, changed[0].reference)
    one, names = whole(visits), (await read_booking(conn, practice, visits)).patient_names
    attendee = contact.value if contact.kind == "email" else None
    token = manage_token(site.secret_key, practice_id, visits[0].appointment_id)
    link = f"{site.public_url}/visit/{practice.slug}/{token}"
    calendar = calendar_file(
        practice, one, patient_name=named(names), now=now, attendee=attendee, manage_url=link
    ).decode()
    if action == "cancel":
        book_again = f"{site.public_url}/book/{practice.slug}"
        message = cancelled_message(practice, contact, one, names, book_again, calendar)
    else:
        message = rescheduled_message(practice, contact, one, names, link, calendar)
    await queue_message(conn, message, now)
    await write_backs.wake_workers(conn, "message")


async def _announce(conn: Connection, practice: Practice, visits: list[Visit], event: Event, now: datetime) -> None:
    for visit in visits:
        await announce(conn, practice.practice_id, event, visit.appointment_id, now)
