"""A booked visit, for whoever has its link: what was agreed, what can be changed, and a file for the calendar."""

from __future__ import annotations

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from booking.calendar_file import calendar_file
from booking.change import allowed
from booking.db.practices import Practice
from booking.visits import ClientVisit, visit_by_token
from widget.book.shell import ThePractice, booking_page
from widget.clock import now
from widget.state import HttpRequest, ThePool, TheSite

LONGEST_TOKEN = 100
EVENTS = {"done": "booked", "moved": "rescheduled", "cancelled": "cancelled"}
"""What a page was reached by, and what the website around a frame is told of it."""


@get("/visit/{slug:str}/{token:str}")
async def visit(practice: ThePractice, token: FromPath[str], request: HttpRequest, pool: ThePool) -> Response[str]:
    """Show the visit and what can be done with it; just booked or changed, with a word about that."""
    found = await visit_of(practice, token, pool)
    moment = now()
    just = next((name for name in (*EVENTS, "confirmed") if name in request.query_params), "")
    return booking_page(
        request,
        practice,
        "booked.html",
        event=EVENTS.get(just, ""),
        visit=found,
        allowed=await allowed(pool, practice, found.appointment.reference, now=moment),
        ahead=found.appointment.starts_at > moment,
        just=just,
        here=visit_path(practice, token),
    )


@get("/visit/{slug:str}/{token:str}/visit.ics")
async def visit_file(practice: ThePractice, token: FromPath[str], pool: ThePool, site: TheSite) -> Response[bytes]:
    """Answer with the visit as a calendar file."""
    found = await visit_of(practice, token, pool)
    link = f"{site.public_url}{visit_path(practice, token)}"
    file = calendar_file(practice, found.appointment, patient_name=found.patient.name, now=now(), manage_url=link)
    headers = {"content-disposition": 'attachment; filename="visit.ics"'}
    return Response(file, media_type="text/calendar; method=PUBLISH; charset=utf-8", headers=headers)


async def visit_of(practice: Practice, token: str, pool: ThePool) -> ClientVisit:
    """Return the visit that a link shows. Raises `NotFoundException`."""
    found = await visit_by_token(pool, practice, token) if len(token) <= LONGEST_TOKEN else None
    if found is None:
        raise NotFoundException
    return found


def visit_path(practice: Practice, token: str) -> str:
    """Return the address of a visit's page."""
    return f"/visit/{practice.slug}/{token}"
