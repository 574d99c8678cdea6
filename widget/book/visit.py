"""A booked visit, for whoever has its link: what was agreed, what happens next, and a file for the calendar."""

from __future__ import annotations

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from booking.calendar_file import calendar_file
from booking.db.practices import Practice
from booking.visits import ClientVisit, visit_by_token
from widget.book.shell import ThePractice, booking_page
from widget.clock import now
from widget.state import HttpRequest, ThePool

LONGEST_TOKEN = 100


@get("/visit/{slug:str}/{token:str}")
async def visit(practice: ThePractice, token: FromPath[str], request: HttpRequest, pool: ThePool) -> Response[str]:
    """Show the visit; just booked, with a word of welcome."""
    found = await _visit(practice, token, pool)
    just_booked = "done" in request.query_params
    return booking_page(
        request,
        practice,
        "booked.html",
        event="booked" if just_booked else "",
        visit=found,
        just_booked=just_booked,
        token=token,
    )


@get("/visit/{slug:str}/{token:str}/visit.ics")
async def visit_file(practice: ThePractice, token: FromPath[str], pool: ThePool) -> Response[bytes]:
    """Answer with the visit as a calendar file."""
    found = await _visit(practice, token, pool)
    file = calendar_file(practice, found.appointment, patient_name=found.patient.name, now=now())
    headers = {"content-disposition": 'attachment; filename="visit.ics"'}
    return Response(file, media_type="text/calendar; method=PUBLISH; charset=utf-8", headers=headers)


async def _visit(practice: Practice, token: str, pool: ThePool) -> ClientVisit:
    found = await visit_by_token(pool, practice, token) if len(token) <= LONGEST_TOKEN else None
    if found is None:
        raise NotFoundException
    return found
