"""The schedule for staff: a day of it, its appointments, and what staff do with them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Router, get, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from booking.api.bookings import (
    BookingShown,
    ClientToAdd,
    ExistingPatient,
    NewTime,
    PatientToAdd,
    Reason,
    chosen_client,
    read_patient,
    shown,
)
from booking.api.given import REPEATABLE, TheKey, ThePool, TheSite, now, within_reach
from booking.api.problems import Alternative, declared
from booking.api.refusals import ClientUnclear, SlotIsTaken, StartUnclear
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.change import NoLongerChangeable, cancel, confirm, reschedule
from booking.contacts import LONGEST, ContactUnreadableError, read_contact
from booking.db import appointments as appointments_db
from booking.db.appointments import ScheduleEntry, Source, Status
from booking.db.pool import of_practice
from booking.db.write_backs import State
from booking.details import DetailsRefused
from booking.holds import SlotTaken
from booking.local_days import day_start
from booking.offers import NotBookableOnline
from booking.once import KeyBusy, KeyMissing, KeyReused
from booking.policies import CannotBeBooked
from booking.staff_book import (
    AppointmentUnknown,
    CannotStandSo,
    ContactMissing,
    MadeInPims,
    StaffBooking,
    book_for_client,
    note,
    reference_of,
)
from booking.staff_schedule import schedule_day
from booking.visits import booking_seen

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
READ, WRITE = [Needs("schedule:read")], [Needs("schedule:write")]
MOST_DAYS = 31


class EntryShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """An appointment on the schedule. `writeBack`: of its lines in the outbox the one that holds the others up."""

    id: UUID
    reference: str | None
    start: datetime
    end: datetime
    status: Status
    source: Source
    appointment_type: str | None
    client: str | None
    patient: str | None
    species: str | None
    description: str
    resources: list[UUID]
    write_back: State | None
    write_back_reason: str | None


class SpanShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """From one instant to before another."""

    start: datetime
    end: datetime


class ColumnShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A resource and when it works on the day."""

    id: UUID
    name: str
    kind: str
    open: list[SpanShown]


class BusyShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """Time that is held or closed. `what`: the appointment type of a hold, the reason of a block-off."""

    start: datetime
    end: datetime
    resources: list[UUID]
    what: str


class DayOfSchedule(Struct, frozen=True, kw_only=True, rename="camel"):
    """A local day as staff see it. `asOf`: the schedule shows the practice's own system at that instant."""

    date: date
    closed: bool
    resources: list[ColumnShown]
    appointments: list[EntryShown]
    holds: list[BusyShown]
    block_offs: list[BusyShown]
    as_of: datetime | None


class Entries(Struct, frozen=True, kw_only=True, rename="camel"):
    """Appointments by their start. `next`: where the list goes on."""

    items: list[EntryShown]
    next: str | None


class EntrySent(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What staff book for a client. Send `client`, or `newClient` with a `contact`; `tell`: message the client."""

    appointment_type: UUID
    start: Annotated[datetime, Meta(tz=True)]
    patients: Annotated[tuple[ExistingPatient | PatientToAdd, ...], Meta(min_length=1, max_length=4)]
    client: UUID | None = None
    new_client: ClientToAdd | None = None
    contact: Annotated[str, Meta(max_length=LONGEST)] | None = None
    provider: UUID | None = None
    reason: Reason = ""
    tell: bool = False


class NewStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an appointment stands."""

    status: Literal["confirmed", "arrived", "fulfilled", "no_show"]


class Noted(Struct, frozen=True, kw_only=True):
    """How the appointment stands now."""

    id: UUID
    status: Status


@get("/schedule", guards=READ, responses=declared(*REFUSED))
async def schedule(
    who: TheStaff, pool: ThePool, day: Annotated[date, QueryParameter(name="date", description="A local day.")]
) -> DayOfSchedule:
    """Return a day of the schedule."""
    found = await schedule_day(pool, who.practice, _possible(day), now=now())
    return DayOfSchedule(
        date=found.day,
        closed=found.closed,
        resources=[
            ColumnShown(
                id=one.resource_id,
                name=one.name,
                kind=one.kind,
                open=[SpanShown(start=span.start, end=span.end) for span in found.open[one.resource_id]],
            )
            for one in found.resources
        ],
        appointments=[_entry(one) for one in found.appointments],
        holds=[
            BusyShown(start=one.starts_at, end=one.ends_at, resources=one.resource_ids, what=one.appointment_type)
            for one in found.holds
        ],
        block_offs=[
            BusyShown(start=one.starts_at, end=one.ends_at, resources=[one.resource_id], what=one.reason)
            for one in found.block_offs
        ],
        as_of=found.connection.as_of if found.connection else None,
    )


@get("/appointments", guards=READ, responses=declared(*REFUSED))
async def list_appointments(
    who: TheStaff,
    pool: ThePool,
    first: Annotated[date, QueryParameter(name="from", description="The first local day.")],
    last: Annotated[date, QueryParameter(name="to", description="The last local day, 30 days later at most.")],
    after: Annotated[str | None, QueryParameter(max_length=100, description="`next` of the page before.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 100,
) -> Entries:
    """List the appointments of some days, ours and those made in the practice's own system."""
    if not 0 <= (_possible(last) - _possible(first)).days < MOST_DAYS:
        raise ValidationException(f"Ask for 1 to {MOST_DAYS} days, the first one first.")
    practice_id, zone = who.practice.practice_id, who.practice.timezone
    start, end = day_start(first, zone), day_start(last + timedelta(days=1), zone)
    async with of_practice(pool, practice_id) as conn:
        found = await appointments_db.schedule_between(
            conn, practice_id, start, end, after=read_cursor(after), limit=limit
        )
    following = cursor(found[-1].starts_at, found[-1].appointment_id) if len(found) == limit else None
    return Entries(items=[_entry(one) for one in found], next=following)


def _possible(day: date) -> date:
    """Refuse days that no calendar of ours reaches."""
    if not 1900 < day.year < 9000:  # noqa: PLR2004 - far enough in both directions
        raise ValidationException("Ask for a day between 1901 and 8999.")
    return day


def cursor(at: datetime, id_: UUID) -> str:
    """Return where a list that is ordered by an instant and an id goes on."""
    return f"{at.isoformat()}_{id_}".replace("+00:00", "Z")


def read_cursor(text: str | None) -> tuple[datetime, UUID] | None:
    """Read what `cursor` wrote. Raises `ValidationException`."""
    if text is None:
        return None
    at, _, id_ = text.partition("_")
    try:
        read = datetime.fromisoformat(at), UUID(id_)
    except ValueError:
        raise ValidationException("Send `next` of the page before as `after`.") from None
    if read[0].tzinfo is None:
        raise ValidationException("Send `next` of the page before as `after`.")
    return read


def _entry(one: ScheduleEntry) -> EntryShown:
    return EntryShown(
        id=one.appointment_id,
        reference=one.reference,
        start=one.starts_at,
        end=one.ends_at,
        status=one.status,
        source=one.source,
        appointment_type=one.appointment_type,
        client=one.client,
        patient=one.patient,
        species=one.species,
        description=one.description,
        resources=one.resource_ids,
        write_back=one.write_back,
        write_back_reason=one.write_back_reason,
    )


BOOKING = (
    SlotIsTaken,
    StartUnclear,
    NotBookableOnline,
    CannotBeBooked,
    ClientUnclear,
    ContactMissing,
    ContactUnreadableError,
    DetailsRefused,
    KeyMissing,
    KeyReused,
    KeyBusy,
)


@post("/appointments", guards=WRITE, dependencies=REPEATABLE, responses=declared(*REFUSED, *BOOKING))
async def create_appointment(
    who: TheStaff, pool: ThePool, site: TheSite, key: TheKey, data: JSONBody[EntrySent]
) -> BookingShown:
    """Book for a client at a time that is free. To book a time twice, do it in the practice's own system."""
    return await book_as_staff(pool, site=site, who=who, sent=data, request_id=None, key=key)


async def book_as_staff(
    pool: ThePool, *, site: TheSite, who: TheStaff, sent: EntrySent, request_id: UUID | None, key: str
) -> BookingShown:
    """Book what staff sent, for a request or without one."""
    practice = who.practice
    booking = StaffBooking(
        appointment_type_id=sent.appointment_type,
        start=within_reach(sent.start),
        client=chosen_client(practice, sent.client, sent.new_client),
        patients=tuple(read_patient(one) for one in sent.patients),
        contact=read_contact(sent.contact, practice.region) if sent.contact else None,
        provider_id=sent.provider,
        reason=sent.reason.strip(),
        tell=sent.tell,
    )
    booked = await book_for_client(
        pool, practice, booking, request_id=request_id, key=key, actor=who.actor, site=site, now=now()
    )
    if isinstance(booked, SlotTaken):
        raise _taken(booked)
    return shown(await booking_seen(pool, practice, booked.appointments))


def _taken(lost: SlotTaken) -> SlotIsTaken:
    """Return the refusal of a lost time. Staff book the others by their start, so they get no token."""
    return SlotIsTaken([Alternative(start=one.start, end=one.end, token="") for one in lost.alternatives])


@post(
    "/appointments/{appointment_id:uuid}/reschedule",
    guards=WRITE,
    status_code=200,
    responses=declared(
        *REFUSED,
        AppointmentUnknown,
        MadeInPims,
        SlotIsTaken,
        NoLongerChangeable,
        NotBookableOnline,
        CannotBeBooked,
        StartUnclear,
    ),
)
async def reschedule_appointment(
    who: TheStaff, pool: ThePool, site: TheSite, appointment_id: FromPath[UUID], data: JSONBody[NewTime]
) -> BookingShown:
    """Move the whole booking that an appointment is part of; the client is told."""
    practice = who.practice
    reference = await reference_of(pool, practice, appointment_id)
    start = within_reach(data.start)
    outcome = await reschedule(pool, practice, reference, start, by="staff", actor=who.actor, site=site, now=now())
    if isinstance(outcome, SlotTaken):
        raise _taken(outcome)
    return shown(await booking_seen(pool, practice, outcome.appointments))


@post(
    "/appointments/{appointment_id:uuid}/cancel",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, AppointmentUnknown, MadeInPims, NoLongerChangeable),
)
async def cancel_appointment(
    who: TheStaff, pool: ThePool, site: TheSite, appointment_id: FromPath[UUID]
) -> BookingShown:
    """Cancel the whole booking that an appointment is part of; the client is told."""
    practice = who.practice
    reference = await reference_of(pool, practice, appointment_id)
    outcome = await cancel(pool, practice, reference, by="staff", actor=who.actor, site=site, now=now())
    return shown(await booking_seen(pool, practice, outcome.appointments))


@post(
    "/appointments/{appointment_id:uuid}/status",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, AppointmentUnknown, MadeInPims, NoLongerChangeable, CannotStandSo),
)
async def set_status(who: TheStaff, pool: ThePool, appointment_id: FromPath[UUID], data: JSONBody[NewStatus]) -> Noted:
    """Say that a client confirmed, or that a patient arrived, was seen, or did not come."""
    if data.status == "confirmed":
        reference = await reference_of(pool, who.practice, appointment_id)
        await confirm(pool, who.practice, reference, actor=who.actor, now=now())
    else:
        await note(pool, who.practice, appointment_id, data.status, actor=who.actor, now=now())
    return Noted(id=appointment_id, status=data.status)


router = Router(
    "/",
    route_handlers=[
        schedule,
        list_appointments,
        create_appointment,
        reschedule_appointment,
        cancel_appointment,
        set_status,
    ],
)
