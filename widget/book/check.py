"""The last step: everything on one page, each thing with its own way back, and the button that books."""

from __future__ import annotations

from datetime import date

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response.redirect import Redirect
from msgspec import Struct

from booking.book import (
    Booked,
    Booking,
    KnownClient,
    KnownPatient,
    NewPatient,
    book,
)
from booking.db.appointment_types import AppointmentType, any_appointment_type
from booking.db.clients import Patient
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.details import DetailsRefused
from booking.holds import HoldUnknown, extend, find_hold
from booking.identify import accounts_of
from booking.offers import choosable_providers
from booking.once import KeyReused
from booking.policies import CannotBeBooked, NewClientsNotWelcome
from booking.questions import AnswersRefused
from widget import flow as flows
from widget.book.questions import answered, answers_of
from widget.book.shell import GoElsewhere, TheFlow, TheKept, ThePractice, booking_page, flow_path
from widget.clock import now
from widget.flow import Flow, next_step
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis, TheSite

STEPS_WITH_A_HOLD = ("who", "code", "pet", "details", "questions", "check")


class PatientShown(Struct, frozen=True, kw_only=True):
    """The pet as the page tells it."""

    name: str
    species: str
    breed: str
    birth_date: date | None
    known: bool


class CheckShown(Struct, frozen=True, kw_only=True):
    """Everything that is about to be booked."""

    appointment_type: AppointmentType
    providers: list[str]
    client_name: str
    patient: PatientShown
    answers: list[tuple[str, str]]


@get("/book/{slug:str}/f/{token:str}/check")
async def check(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, kept: TheKept, request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Show everything before it is booked."""
    if next_step(flow) != "check":
        raise GoElsewhere(f"{flow_path(practice, token)}/{next_step(flow)}")
    shown = await _shown(practice, token, flow, pool)
    return booking_page(
        request, practice, "check.html", flow=flow, kept=kept, shown=shown, step=flow_path(practice, token)
    )


@post("/book/{slug:str}/f/{token:str}/check")
async def confirm(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, pool: ThePool, redis: TheRedis, site: TheSite
) -> Response[str] | Redirect:
    """Book. However often this is sent, it happens once: the flow's key sees to it."""
    path = flow_path(practice, token)
    if flow.hold_id is None or flow.contact is None or flow.client is None or flow.patient is None:
        return see_other(f"{path}/{next_step(flow)}")
    booking = Booking(
        hold_id=flow.hold_id,
        hold_secret=flow.hold_secret,
        contact=flow.contact,
        client=flow.client,
        patients=(flow.patient,),
        reason=flow.reason,
        answers=answers_of(flow),
    )
    try:
        booked = await book(
            pool,
            practice,
            booking,
            key=flow.key,
            site=site,
            now=now(),
            wait=True,
        )
    except HoldUnknown:
        return see_other(f"{path}/taken")
    except CannotBeBooked:
        # The pet's record changed after it was chosen: let them choose again, from what is so now.
        return see_other(f"{path}/pet?again=1")
    except DetailsRefused:
        # The practice's own system has come to ask for more meanwhile.
        client = flow.client.client_id if isinstance(flow.client, KnownClient) else "new"
        return see_other(f"{path}/details?client={client}&again=1")
    except AnswersRefused:
        # The practice has changed its questions meanwhile.
        return see_other(f"{path}/questions")
    except NewClientsNotWelcome:
        return see_other(f"{path}/request?known=no")
    except KeyReused:
        # Another tab booked with other details a moment ago; its page says what stands.
        return see_other(f"{path}/check")
    if not isinstance(booked, Booked):
        return see_other(f"{path}/taken")
    await flows.save(redis, practice, token, msgspec.structs.replace(flow, manage_token=booked.manage_token))
    return see_other(f"/visit/{practice.slug}/{booked.manage_token}?done=1")


@post("/book/{slug:str}/f/{token:str}/extend")
async def keep_longer(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool
) -> Redirect:
    """Keep the time for longer, once, and go back to the page where that was asked."""
    if flow.hold_id is not None:
        await extend(pool, practice, flow.hold_id, flow.hold_secret, now=now())
    back = request.query_params.get("back", "")
    return see_other(f"{flow_path(practice, token)}/{back if back in STEPS_WITH_A_HOLD else next_step(flow)}")


async def _shown(practice: Practice, token: str, flow: Flow, pool: Pool) -> CheckShown:
    if flow.hold_id is None or flow.contact is None or flow.client is None or flow.patient is None:
        raise LookupError("The page is shown when all steps before it are done.")
    answers = await answered(practice, token, flow, pool)
    async with of_practice(pool, practice.practice_id) as conn:
        appointment_type = await any_appointment_type(conn, practice.practice_id, flow.wish.appointment_type_id)
        if appointment_type is None:
            raise LookupError("A flow's type is one that the practice has.")
        able = await choosable_providers(conn, practice, appointment_type)
    hold = await find_hold(pool, practice, flow.hold_id, flow.hold_secret)
    serving = {id_ for ids in hold.resources.values() for id_ in ids} if hold else set()
    client_name, patient = "", None
    if isinstance(flow.client, KnownClient):
        for account in await accounts_of(pool, practice, flow.contact):
            if account.client.client_id == flow.client.client_id:
                client_name = f"{account.client.given_name} {account.client.family_name}"
                patient = _patient_among(flow, account.patients)
    else:
        client_name = f"{flow.client.given_name} {flow.client.family_name}"
    if isinstance(flow.patient, NewPatient):
        new = flow.patient
        patient = PatientShown(
            name=new.name, species=new.species, breed=new.breed, birth_date=new.birth_date, known=False
        )
    if patient is None or not client_name:
        raise GoElsewhere(f"{flow_path(practice, token)}/pet")
    return CheckShown(
        appointment_type=appointment_type,
        providers=[one.name for one in able if str(one.resource_id) in serving],
        client_name=client_name,
        patient=patient,
        answers=answers,
    )


def _patient_among(flow: Flow, patients: list[Patient]) -> PatientShown | None:
    if not isinstance(flow.patient, KnownPatient):
        return None
    for one in patients:
        if one.patient_id == flow.patient.patient_id:
            return PatientShown(
                name=one.name, species=one.species, breed=one.breed, birth_date=one.birth_date, known=True
            )
    return None
