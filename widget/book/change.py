"""Change a visit by its link, without an account: say that you come, choose another time, cancel.

Each ends on the visit's page, which says what is so now. What the practice does not let clients do online any more is
told in words, with its phone.
"""

from __future__ import annotations

from datetime import timedelta

from litestar import Response, get, post
from litestar.exceptions import TooManyRequestsException
from litestar.params import FromPath
from litestar.response.redirect import Redirect

from booking.change import MovedTooOften, NoLongerChangeable, TooLate, allowed, reschedule, wish_of
from booking.change import cancel as cancel_booking
from booking.change import confirm as confirm_booking
from booking.db.pool import Pool
from booking.db.practices import Practice
from booking.holds import SlotTaken
from booking.limits import Limit
from booking.offers import NotBookableOnline
from booking.policies import Refused
from booking.visits import ClientVisit
from widget.book.picker import pick, start_of
from widget.book.shell import GoElsewhere, ThePractice, booking_page, too_often
from widget.book.visit import visit_of, visit_path
from widget.clock import now
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis, TheSite

MOVES = Limit(name="move-address", times=60, per=timedelta(minutes=10))
TAKEN = "Sorry, somebody was a little faster. Please choose another time; until then your visit stays as it is."


@post("/visit/{slug:str}/{token:str}/confirm")
async def confirm(practice: ThePractice, token: FromPath[str], pool: ThePool) -> Redirect:
    """Tell the practice that they come."""
    found = await visit_of(practice, token, pool)
    await confirm_booking(pool, practice, found.appointment.reference, now=now())
    return see_other(f"{visit_path(practice, token)}?confirmed=1")


@get("/visit/{slug:str}/{token:str}/cancel")
async def ask_to_cancel(
    practice: ThePractice, token: FromPath[str], request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Ask whether they really want to cancel."""
    found = await visit_of(practice, token, pool)
    if not (await allowed(pool, practice, found.appointment.reference, now=now())).cancel:
        raise GoElsewhere(visit_path(practice, token))
    return booking_page(request, practice, "cancel.html", visit=found, here=visit_path(practice, token))


@post("/visit/{slug:str}/{token:str}/cancel")
async def cancel(practice: ThePractice, token: FromPath[str], pool: ThePool, site: TheSite) -> Redirect:
    """Cancel the visit; its time is free at once."""
    found = await visit_of(practice, token, pool)
    await cancel_booking(pool, practice, found.appointment.reference, by="client", site=site, now=now())
    return see_other(f"{visit_path(practice, token)}?cancelled=1")


@get("/visit/{slug:str}/{token:str}/move")
async def choose_new_time(
    practice: ThePractice, token: FromPath[str], request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Show the times to which the visit can be moved."""
    found = await visit_of(practice, token, pool)
    if not (await allowed(pool, practice, found.appointment.reference, now=now())).move:
        raise GoElsewhere(visit_path(practice, token))
    return await _move_page(request, practice, token, pool, found, Form())


@post("/visit/{slug:str}/{token:str}/move")
async def move(
    practice: ThePractice, token: FromPath[str], request: HttpRequest, pool: ThePool, redis: TheRedis, site: TheSite
) -> Response[str] | Redirect:
    """Move the visit; where the new time was lost meanwhile, the old one stays."""
    found = await visit_of(practice, token, pool)
    form = await read_form(request)
    start = start_of(form)
    if start is None:
        return await _move_page(request, practice, token, pool, found, form, status=422)
    if await too_often(request, practice, redis, MOVES):
        raise TooManyRequestsException
    reference = found.appointment.reference
    try:
        moved = await reschedule(pool, practice, reference, start, by="client", site=site, now=now())
    except (NotBookableOnline, Refused):
        return _stays(request, practice, token)
    if isinstance(moved, SlotTaken):
        form.errors["start"] = TAKEN
        return await _move_page(request, practice, token, pool, found, form, status=409)
    return see_other(f"{visit_path(practice, token)}?moved=1")


def too_late(request: HttpRequest, refusal: TooLate | MovedTooOften | NoLongerChangeable) -> Response[str]:
    """Say that this is for the phone now; the visit stays as it is."""
    practice: Practice = request.scope["state"]["practice"]
    token: str = request.path_params["token"]
    why = type(refusal).__doc__
    return booking_page(request, practice, "stays.html", status=409, why=why, here=visit_path(practice, token))


async def _move_page(
    request: HttpRequest,
    practice: Practice,
    token: str,
    pool: Pool,
    found: ClientVisit,
    form: Form,
    *,
    status: int = 200,
) -> Response[str]:
    wish = await wish_of(pool, practice, found.appointment.reference)
    try:
        picker = await pick(pool, practice, wish, request.query_params, now=now(), own=found.visits)
    except NotBookableOnline:
        return _stays(request, practice, token)
    here = visit_path(practice, token)
    return booking_page(
        request,
        practice,
        "move.html",
        status=status,
        visit=found,
        picker=picker,
        wanted=None,
        form=form,
        visit_page=here,
        here=f"{here}/move?",
    )


def _stays(request: HttpRequest, practice: Practice, token: str) -> Response[str]:
    why = f"A visit like this cannot be moved online any more. Please call {practice.name} for another time."
    here = visit_path(practice, token)
    return booking_page(request, practice, "stays.html", status=409, why=why, here=here)
