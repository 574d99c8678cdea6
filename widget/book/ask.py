"""Ask for an appointment where none can be booked: no suitable time, not a client yet, a visit we call back for."""

from __future__ import annotations

from datetime import timedelta

from litestar import Response, get, post
from litestar.exceptions import TooManyRequestsException
from litestar.params import FromPath
from litestar.response.redirect import Redirect
from redis.asyncio import Redis

from booking.book import NewClient, NewPatient
from booking.db.appointment_types import AppointmentType
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.holds import release
from booking.limits import Limit
from booking.offers import offered_types
from booking.request import Asked, request_appointment
from widget.book.choose import species_of
from widget.book.shell import TheFlow, ThePractice, booking_page, flow_path, too_often
from widget.clock import now
from widget.flow import Flow
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis
from widget.wording import when

LONGEST_MESSAGE = 500
LONGEST_TIMES = 300
REQUESTS = Limit(name="request-address", times=10, per=timedelta(hours=1))
OTHER_SPECIES = "other"


@get("/book/{slug:str}/request")
async def ask(practice: ThePractice, request: HttpRequest, pool: ThePool) -> Response[str]:
    """Show the request form."""
    query = request.query_params
    form = Form({"type": query.get("type", ""), "species": query.get("species", "")})
    reason = "new" if query.get("client") == "new" and practice.who_may_book == "existing_clients" else ""
    return await _ask_page(request, practice, pool, form, why=reason)


@post("/book/{slug:str}/request")
async def send_request(
    practice: ThePractice, request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Response[str] | Redirect:
    """Put the request before the practice."""
    return await _send(request, practice, pool, redis)


@get("/book/{slug:str}/request/sent")
async def request_sent(practice: ThePractice, request: HttpRequest) -> Response[str]:
    """Say thanks, and what happens next."""
    quiet = "quietly" in request.query_params
    return booking_page(request, practice, "asked.html", event="requested", quiet=quiet)


@get("/book/{slug:str}/f/{token:str}/request")
async def ask_in_flow(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Show the request form with all that was entered so far."""
    why = "unknown" if "known" in request.query_params else ""
    return await _ask_page(request, practice, pool, _entered(flow, practice), why=why, back=flow_path(practice, token))


@post("/book/{slug:str}/f/{token:str}/request")
async def send_request_in_flow(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Response[str] | Redirect:
    """Put the request before the practice, and let go of the time that was kept."""
    answer = await _send(request, practice, pool, redis, back=flow_path(practice, token))
    if isinstance(answer, Redirect) and flow.hold_id is not None:
        await release(pool, practice, flow.hold_id, flow.hold_secret)
    return answer


async def _send(
    request: HttpRequest, practice: Practice, pool: Pool, redis: Redis, *, back: str = ""
) -> Response[str] | Redirect:
    form = await read_form(request)
    offered = await _offered(practice, pool)
    by_id = {str(one.appointment_type_id): one for one in offered}
    chosen = by_id.get(form.values.get("type", ""))
    name = form.line("name", most=120, missing="Please enter your name.")
    contact = form.contact("contact", practice.region, missing="Please enter your phone number or email address.")
    pet_name = form.line("pet_name", most=60, missing="Please enter your pet’s name.")
    species = form.chosen("species", [*species_of(offered), OTHER_SPECIES], missing="Please choose what kind of pet.")
    preferred_times = form.lines("preferred_times", most=LONGEST_TIMES)
    message = form.lines("message", most=LONGEST_MESSAGE)
    if form.errors or contact is None:
        return await _ask_page(request, practice, pool, form, status=422, back=back)
    if await too_often(request, practice, redis, REQUESTS):
        raise TooManyRequestsException
    asked = Asked(
        appointment_type_id=chosen.appointment_type_id if chosen else None,
        contact=contact,
        name=name,
        patient_name=pet_name,
        species=species,
        preferred_times=preferred_times,
        message=message,
    )
    await request_appointment(pool, practice, asked, now=now())
    quietly = "?quietly=1" if chosen and chosen.calls_back else ""
    return see_other(f"/book/{practice.slug}/request/sent{quietly}")


async def _ask_page(
    request: HttpRequest,
    practice: Practice,
    pool: Pool,
    form: Form,
    *,
    status: int = 200,
    why: str = "",
    back: str = "",
) -> Response[str]:
    offered = await _offered(practice, pool)
    chosen = next((one for one in offered if str(one.appointment_type_id) == form.values.get("type")), None)
    return booking_page(
        request,
        practice,
        "ask.html",
        status=status,
        form=form,
        why=why,
        back=back,
        chosen=chosen,
        quiet=chosen is not None and chosen.calls_back,
        types=[one for one in offered if not one.calls_back],
        species=[*species_of(offered), OTHER_SPECIES],
    )


async def _offered(practice: Practice, pool: Pool) -> list[AppointmentType]:
    async with of_practice(pool, practice.practice_id) as conn:
        return await offered_types(conn, practice)


def _entered(flow: Flow, practice: Practice) -> Form:
    known = flow.contact or flow.asked_contact
    values = {
        "type": str(flow.wish.appointment_type_id),
        "species": flow.wish.species,
        "message": flow.reason,
        "contact": known.value if known else "",
    }
    if flow.starts_at is not None:
        values["preferred_times"] = when(flow.starts_at, practice.timezone)
    if isinstance(flow.client, NewClient):
        values["name"] = f"{flow.client.given_name} {flow.client.family_name}"
    if isinstance(flow.patient, NewPatient):
        values["pet_name"] = flow.patient.name
    return Form(values)
