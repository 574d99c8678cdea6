"""Bookings: a held time becomes appointments; then they are shown, moved, cancelled and confirmed.

A booking is shown to its client's proven contact and to whoever has its manage token, and is not there for anybody
else: an unknown reference, another practice's and somebody else's are answered alike.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct
from redis.asyncio import Redis

from booking.api.given import (
    TO_PRACTICE_REPEATABLE,
    HttpRequest,
    TheKey,
    ThePool,
    ThePractice,
    TheRedis,
    TheSite,
    bearer,
    now,
    within_reach,
)
from booking.api.holds import slot_is_taken
from booking.api.limits import RateLimited, limited
from booking.api.practices import Species
from booking.api.problems import declared
from booking.api.refusals import ClientUnclear, NotFound, NotProven, SlotIsTaken, StartUnclear
from booking.book import Booking, KnownClient, KnownPatient, NewClient, NewPatient, book
from booking.calendar_file import calendar_file
from booking.change import (
    BookingUnknown,
    Changed,
    MovedTooOften,
    NoLongerChangeable,
    TooLate,
    cancel,
    confirm,
    reschedule,
    wish_of,
)
from booking.client_session import session_contact
from booking.contacts import LONGEST, Contact, ContactUnreadableError, read_contact
from booking.db import practices
from booking.db.appointments import Appointment, Status
from booking.db.clients import Where
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.write_backs import State
from booking.details import DetailsRefused
from booking.holds import HoldUnknown, SlotTaken, find_hold
from booking.messages import named
from booking.offers import NotBookableOnline
from booking.once import KeyBusy, KeyMissing, KeyReused
from booking.policies import Refused
from booking.questions import LONGEST_ANSWER, Answer, AnswersRefused
from booking.site import Site
from booking.tokens import LONGEST_SEALED, sealed, unsealed
from booking.visits import BookingSeen, booking_of, booking_seen

A_MINUTE = timedelta(minutes=1)
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Reason = Annotated[str, Meta(max_length=500)]


class ExistingPatient(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag="existing"):
    """A patient of the client."""

    id: UUID


class PatientToAdd(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag="new"):
    """An animal that the practice does not know yet."""

    name: Name
    species: Species
    breed: Annotated[str, Meta(max_length=120)] = ""
    sex: Literal["", "female", "female_spayed", "male", "male_neutered"] = ""
    birth_date: date | None = None


class ClientToAdd(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Somebody whom the practice does not know yet. `otherContact`: a phone beside the email, or the reverse.

    What of the rest must be there, the practice's profile says (`asks`).
    """

    given_name: Name
    family_name: Name
    other_contact: Annotated[str, Meta(max_length=LONGEST)] | None = None
    address: Annotated[str, Meta(max_length=200)] = ""
    city: Annotated[str, Meta(max_length=120)] = ""
    postal_code: Annotated[str, Meta(max_length=20)] = ""


class AnswerSent(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The answer to one of the practice's questions."""

    question: UUID
    answer: Annotated[str, Meta(max_length=LONGEST_ANSWER)]


class BookingSent(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to be booked: the held time, for whom. Send `client` (one of the session's accounts) or `newClient`."""

    hold: UUID
    hold_secret: Annotated[str, Meta(min_length=1, max_length=LONGEST_SEALED)]
    patients: Annotated[tuple[ExistingPatient | PatientToAdd, ...], Meta(min_length=1, max_length=4)]
    client: UUID | None = None
    new_client: ClientToAdd | None = None
    reason: Reason = ""
    answers: Annotated[tuple[AnswerSent, ...], Meta(max_length=50)] = ()


class NewTime(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """When the first visit is to start."""

    start: Annotated[datetime, Meta(tz=True)]


class VisitShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """One patient's visit. `providers`: the names of who serves it."""

    id: UUID
    patient: UUID
    patient_name: str
    start: datetime
    end: datetime
    status: Status
    providers: list[str]


class BookingShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A booking as it stands. `writeBack`: how far it has come into the practice's own system; null: there is none."""

    reference: str
    status: Status
    start: datetime
    end: datetime
    appointment_type: UUID
    appointment_type_name: str
    visits: list[VisitShown]
    write_back: State | None


class BookingMade(BookingShown, frozen=True, kw_only=True, rename="camel"):
    """A new booking. Whoever has `manageToken`, or the page at `manageUrl`, can change it."""

    manage_token: str
    manage_url: str


@post(
    "/practices/{slug:str}/bookings",
    dependencies=TO_PRACTICE_REPEATABLE,
    guards=[limited("bookings", times=30, per=A_MINUTE)],
    responses=declared(
        NotFound,
        NotProven,
        HoldUnknown,
        SlotIsTaken,
        NotBookableOnline,
        Refused,
        DetailsRefused,
        AnswersRefused,
        ClientUnclear,
        ContactUnreadableError,
        KeyMissing,
        KeyReused,
        KeyBusy,
        RateLimited,
    ),
)
async def create_booking(
    practice: ThePractice,
    data: JSONBody[BookingSent],
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    site: TheSite,
    key: TheKey,
) -> BookingMade:
    """Book a held time for a client whose contact the session has proven."""
    session = await session_contact(redis, bearer(request))
    if session is None or session[0] != practice.practice_id:
        raise NotProven(NotProven.__doc__)
    at, booking = now(), _booking(practice, data, session[1])
    booked = await book(pool, practice, booking, key=key, site=site, now=at)
    if isinstance(booked, SlotTaken):
        held = await find_hold(pool, practice, booking.hold_id, booking.hold_secret)
        if held is None:
            raise HoldUnknown(HoldUnknown.__doc__)
        raise slot_is_taken(site, practice, held.wish, booked, at)
    return BookingMade(
        **msgspec.structs.asdict(shown(booked.seen)),
        manage_token=sealed("mt", practice.practice_id, booked.manage_token),
        manage_url=f"{site.public_url}/visit/{practice.slug}/{booked.manage_token}",
    )


def _booking(practice: Practice, sent: BookingSent, contact: Contact) -> Booking:
    opened = unsealed("hs", sent.hold_secret)
    if opened is None or opened[0] != practice.practice_id:
        raise HoldUnknown(HoldUnknown.__doc__)
    return Booking(
        hold_id=sent.hold,
        hold_secret=opened[1],
        contact=contact,
        client=chosen_client(practice, sent.client, sent.new_client),
        patients=tuple(read_patient(one) for one in sent.patients),
        reason=sent.reason.strip(),
        answers=tuple(Answer(question_id=one.question, answer=one.answer) for one in sent.answers),
    )


def chosen_client(practice: Practice, known: UUID | None, new: ClientToAdd | None) -> KnownClient | NewClient:
    """Return the client as the use cases know them. Raises `ClientUnclear`, `ContactUnreadableError`."""
    if known is not None and new is None:
        return KnownClient(client_id=known)
    if new is None or known is not None:
        raise ClientUnclear(ClientUnclear.__doc__)
    other = read_contact(new.other_contact, practice.region) if new.other_contact else None
    return NewClient(
        given_name=new.given_name.strip(),
        family_name=new.family_name.strip(),
        other_contact=other,
        where=Where(address=new.address.strip(), city=new.city.strip(), postal_code=new.postal_code.strip()),
    )


def read_patient(sent: ExistingPatient | PatientToAdd) -> KnownPatient | NewPatient:
    """Return a patient as the use cases know it."""
    if isinstance(sent, ExistingPatient):
        return KnownPatient(patient_id=sent.id)
    return NewPatient(
        name=sent.name.strip(), species=sent.species, breed=sent.breed, sex=sent.sex, birth_date=sent.birth_date
    )


def shown(seen: BookingSeen) -> BookingShown:
    """Return a booking as it goes over the wire."""
    one = seen.appointment
    return BookingShown(
        reference=one.reference,
        status=one.status,
        start=one.starts_at,
        end=one.ends_at,
        appointment_type=seen.appointment_type.appointment_type_id,
        appointment_type_name=seen.appointment_type.name,
        visits=[
            VisitShown(
                id=visit.appointment.appointment_id,
                patient=visit.patient.patient_id,
                patient_name=visit.patient.name,
                start=visit.appointment.starts_at,
                end=visit.appointment.ends_at,
                status=visit.appointment.status,
                providers=visit.providers,
            )
            for visit in seen.visits
        ],
        write_back=seen.write_back,
    )


OFTEN = [limited("booking", times=120, per=A_MINUTE)]


@get("/bookings/{reference:str}", guards=OFTEN, responses=declared(NotProven, BookingUnknown))
async def get_booking(reference: FromPath[str], request: HttpRequest, pool: ThePool, redis: TheRedis) -> BookingShown:
    """Return a booking. The client's session or the booking's manage token comes as bearer token."""
    practice, visits = await theirs(pool, redis, request, reference)
    return shown(await booking_seen(pool, practice, visits))


@post(
    "/bookings/{reference:str}/reschedule",
    status_code=200,
    guards=OFTEN,
    responses=declared(
        NotProven,
        BookingUnknown,
        SlotIsTaken,
        NoLongerChangeable,
        TooLate,
        MovedTooOften,
        NotBookableOnline,
        Refused,
        StartUnclear,
    ),
)
async def reschedule_booking(
    reference: FromPath[str],
    data: JSONBody[NewTime],
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    site: TheSite,
) -> BookingShown:
    """Move a booking to another time; where that is taken, the old one is kept. Sent twice, it moves once."""
    practice, visits = await theirs(pool, redis, request, reference)
    at = now()
    outcome = await reschedule(pool, practice, reference, within_reach(data.start), by="client", site=site, now=at)
    return await _moved(pool, site, practice, visits, outcome, at)


async def _moved(
    pool: Pool,
    site: Site,
    practice: Practice,
    visits: tuple[Appointment, ...],
    outcome: Changed | SlotTaken,
    at: datetime,
) -> BookingShown:
    if isinstance(outcome, SlotTaken):
        wish = await wish_of(pool, practice, visits[0].reference)
        raise slot_is_taken(site, practice, wish, outcome, at)
    return shown(await booking_seen(pool, practice, outcome.appointments))


@post(
    "/bookings/{reference:str}/cancel",
    status_code=200,
    guards=OFTEN,
    responses=declared(NotProven, BookingUnknown, NoLongerChangeable, TooLate),
)
async def cancel_booking(
    reference: FromPath[str], request: HttpRequest, pool: ThePool, redis: TheRedis, site: TheSite
) -> BookingShown:
    """Cancel a booking: its time is free at once. One that is cancelled stays so."""
    practice, _ = await theirs(pool, redis, request, reference)
    outcome = await cancel(pool, practice, reference, by="client", site=site, now=now())
    return shown(await booking_seen(pool, practice, outcome.appointments))


@post(
    "/bookings/{reference:str}/confirm",
    status_code=200,
    guards=OFTEN,
    responses=declared(NotProven, BookingUnknown, NoLongerChangeable),
)
async def confirm_booking(
    reference: FromPath[str], request: HttpRequest, pool: ThePool, redis: TheRedis
) -> BookingShown:
    """Say that the client will come."""
    practice, _ = await theirs(pool, redis, request, reference)
    outcome = await confirm(pool, practice, reference, now=now())
    return shown(await booking_seen(pool, practice, outcome.appointments))


CALENDAR = ResponseSpec(
    data_container=str, media_type="text/calendar", generate_examples=False, description="An iCalendar file."
)


@get(
    "/bookings/{reference:str}/calendar.ics",
    guards=OFTEN,
    media_type="text/calendar",
    responses={200: CALENDAR, **declared(NotProven, BookingUnknown)},
)
async def booking_calendar(
    reference: FromPath[str], request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Response[bytes]:
    """Return a booking for the client's own calendar."""
    practice, visits = await theirs(pool, redis, request, reference)
    seen = await booking_seen(pool, practice, visits)
    file = calendar_file(practice, seen.appointment, patient_name=named(seen.patient_names), now=now())
    headers = {"content-disposition": 'attachment; filename="visit.ics"'}
    return Response(file, media_type="text/calendar; method=PUBLISH; charset=utf-8", headers=headers)


async def theirs(
    pool: Pool, redis: Redis, request: HttpRequest, reference: str
) -> tuple[Practice, tuple[Appointment, ...]]:
    """Return the booking, if it is theirs who ask. Raises `NotProven`, `BookingUnknown`."""
    token = bearer(request)
    managing = unsealed("mt", token)
    asking: tuple[UUID, Contact | str] | None = managing or await session_contact(redis, token)
    if asking is None:
        raise NotProven(NotProven.__doc__)
    practice_id, who = asking
    if len(reference) <= LONGEST_REFERENCE and "\0" not in reference:
        async with of_practice(pool, practice_id) as conn:
            practice = await practices.practice_by_id(conn, practice_id)
        visits = await booking_of(pool, practice_id, reference, who)
        if practice is not None and visits is not None:
            return practice, visits
    raise BookingUnknown(BookingUnknown.__doc__)


LONGEST_REFERENCE = 20

router = Router(
    "/",
    route_handlers=[
        create_booking,
        get_booking,
        reschedule_booking,
        cancel_booking,
        confirm_booking,
        booking_calendar,
    ],
    tags=["bookings"],
)
