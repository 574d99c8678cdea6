"""The waitlist: join it where no time suits, and answer the link to a time that is kept for whoever waits.

Joining needs a proven contact, as booking does, and uses the same steps for it. A link to a kept time was sent to that
contact; taking the time leads into the booking steps with its hold.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import time, timedelta
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.exceptions import ClientException
from litestar.params import FromPath
from litestar.response.redirect import Redirect

from booking.contacts import Contact
from booking.db.appointment_types import any_appointment_type
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.waitlist import Entry, Window
from booking.holds import release
from booking.local_days import local_date
from booking.offers import wished_type
from booking.tokens import digest, new_secret, unsealed
from booking.waitlist import (
    Joining,
    NothingOffered,
    WaitlistFull,
    accept,
    decline,
    entry_of_offer,
    join,
    leave,
    place,
)
from widget import flow as flows
from widget.book.choose import LONGEST_SOURCE, begin
from widget.book.shell import GoElsewhere, TheFlow, ThePractice, booking_page, flow_path
from widget.book.times import wish_named, with_provider
from widget.clock import now
from widget.flow import Flow, next_step
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis, TheSite

WEEKS = {
    "1": "In the next week",
    "2": "In the next two weeks",
    "4": "In the next four weeks",
    "8": "In the next eight weeks",
}
DAYS = {"any": "On any day", "weekdays": "Monday to Friday", "weekend": "Saturday or Sunday"}
WEEKDAYS = {"any": (1, 2, 3, 4, 5, 6, 7), "weekdays": (1, 2, 3, 4, 5), "weekend": (6, 7)}
PARTS = {
    "any": "At any time",
    "morning": "In the morning",
    "afternoon": "In the afternoon",
    "evening": "In the evening",
}
BETWEEN = {
    "any": (time(0), time(23, 59)),
    "morning": (time(0), time(12)),
    "afternoon": (time(12), time(17)),
    "evening": (time(17), time(23, 59)),
}


@post("/book/{slug:str}/wait")
async def wait_by_link(practice: ThePractice, request: HttpRequest, pool: ThePool, redis: TheRedis) -> Redirect:
    """Begin a flow of somebody who waits for the kind of visit that a link named."""
    form = await read_form(request)
    wish = wish_named(*(form.values.get(name, "") for name in ("type", "species", "client")))
    if wish is None:
        raise ClientException
    wish = with_provider(wish, form.values.get("provider", ""))
    async with of_practice(pool, practice.practice_id) as conn:
        await wished_type(conn, practice, wish)
    source = form.line("source", most=LONGEST_SOURCE)
    token = await begin(request, practice, redis, wish, source=source, waiting=True)
    return see_other(f"{flow_path(practice, token)}/who")


@post("/book/{slug:str}/f/{token:str}/wait/begin")
async def wait_in_flow(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Redirect:
    """Give up the time that was kept, if one was, and wait for another."""
    form = await read_form(request)
    if flow.hold_id is not None:
        await release(pool, practice, flow.hold_id, flow.hold_secret)
    flow = msgspec.structs.replace(
        flow,
        wish=with_provider(flow.wish, form.values.get("provider", "")),
        hold_id=None,
        hold_secret="",
        starts_at=None,
        waiting=True,
        waits_until=None,
    )
    await flows.save(redis, practice, token, flow)
    return see_other(f"{flow_path(practice, token)}/{next_step(flow)}")


@get("/book/{slug:str}/f/{token:str}/wait")
async def wait(practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest) -> Response[str]:
    """Ask which times would suit; whoever has joined sees for how long they wait."""
    contact = _waiting(practice, token, flow)
    if flow.waits_until is not None:
        return booking_page(
            request, practice, "waiting.html", flow=flow, contact=contact, step=flow_path(practice, token)
        )
    return _wait_page(request, practice, token, contact, Form({"weeks": "4", "days": "any", "part": "any"}))


@post("/book/{slug:str}/f/{token:str}/wait")
async def join_waitlist(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Response[str] | Redirect:
    """Join the waitlist, however often this is sent."""
    contact = _waiting(practice, token, flow)
    form = await read_form(request)
    weeks = form.chosen("weeks", WEEKS, missing="Please choose for how long.")
    days = form.chosen("days", DAYS, missing="Please choose which days.")
    part = form.chosen("part", PARTS, missing="Please choose what time of day.")
    if form.errors:
        return _wait_page(request, practice, token, contact, form, status=422)
    moment = now()
    today = local_date(moment, practice.timezone)
    opens, closes = BETWEEN[part]
    window = Window(
        first=today,
        last=today + timedelta(weeks=int(weeks)),
        weekdays=WEEKDAYS[days],
        opens=opens,
        closes=closes,
    )
    joining = Joining(contact=contact, wish=flow.wish, windows=(window,))
    key = f"{flow.key}-{digest(msgspec.json.encode(joining).decode()).hex()}"
    try:
        entry = await join(pool, practice, joining, key=key, now=moment)
    except WaitlistFull as full:
        form.errors["weeks"] = str(full)
        return _wait_page(request, practice, token, contact, form, status=422)
    await flows.save(redis, practice, token, msgspec.structs.replace(flow, waits_until=entry.until))
    return see_other(f"{flow_path(practice, token)}/wait")


@get("/waitlist/{slug:str}/{token:str}")
async def offered(practice: ThePractice, token: FromPath[str], request: HttpRequest, pool: ThePool) -> Response[str]:
    """Show the time that is kept for whoever waits, or how their wait stands."""
    entry = await _entry(practice, token, pool)
    if entry is None:
        return booking_page(request, practice, "offered.html", status=404, entry=None, kept=None)
    moment = now()
    entry, kept = await place(pool, practice.practice_id, entry.waitlist_entry_id, entry.contact, now=moment)
    async with of_practice(pool, practice.practice_id) as conn:
        appointment_type = await any_appointment_type(conn, practice.practice_id, entry.wish.appointment_type_id)
    wish = {
        "type": str(entry.wish.appointment_type_id),
        "species": entry.wish.species,
        "client": "new" if entry.wish.new_client else "existing",
    }
    return booking_page(
        request,
        practice,
        "offered.html",
        entry=entry,
        kept=kept,
        today=local_date(moment, practice.timezone),
        appointment_type=appointment_type,
        here=f"/waitlist/{practice.slug}/{token}",
        times=f"/book/{practice.slug}/times?{urlencode(wish)}",
    )


@post("/waitlist/{slug:str}/{token:str}/take")
async def take(practice: ThePractice, token: FromPath[str], pool: ThePool, redis: TheRedis, site: TheSite) -> Redirect:
    """Take the time: its hold goes into a flow, in which they say who they are and book."""
    entry = await _entry(practice, token, pool)
    if entry is not None:
        try:
            accepted = await accept(pool, site, practice, entry.waitlist_entry_id, entry.contact, now=now())
        except NothingOffered:
            return see_other(f"/waitlist/{practice.slug}/{token}")
        flow = Flow(
            key=new_secret(),
            wish=entry.wish,
            starts_at=accepted.starts_at,
            hold_id=accepted.hold_id,
            hold_secret=accepted.hold_secret,
        )
        path = flow_path(practice, await flows.begin(redis, practice, flow))
        return see_other(f"{path}/{next_step(flow)}")
    return see_other(f"/waitlist/{practice.slug}/{token}")


@post("/waitlist/{slug:str}/{token:str}/decline")
async def let_go(practice: ThePractice, token: FromPath[str], pool: ThePool) -> Redirect:
    """Let the time pass on to the next, and wait for another."""
    entry = await _entry(practice, token, pool)
    if entry is not None:
        with suppress(NothingOffered):
            await decline(pool, practice.practice_id, entry.waitlist_entry_id, entry.contact, now=now())
    return see_other(f"/waitlist/{practice.slug}/{token}")


@post("/waitlist/{slug:str}/{token:str}/leave")
async def stop_waiting(practice: ThePractice, token: FromPath[str], pool: ThePool) -> Redirect:
    """Leave the waitlist."""
    entry = await _entry(practice, token, pool)
    if entry is not None:
        await leave(pool, practice.practice_id, entry.waitlist_entry_id, entry.contact, now=now())
    return see_other(f"/waitlist/{practice.slug}/{token}")


async def _entry(practice: Practice, token: str, pool: Pool) -> Entry | None:
    read = unsealed("wo", token)
    if read is None or read[0] != practice.practice_id:
        return None
    return await entry_of_offer(pool, practice.practice_id, read[1])


def _waiting(practice: Practice, token: str, flow: Flow) -> Contact:
    """Return the proven contact of somebody who joins; who is at another step is sent there."""
    if not flow.waiting or flow.contact is None:
        raise GoElsewhere(f"{flow_path(practice, token)}/{next_step(flow)}")
    return flow.contact


def _wait_page(
    request: HttpRequest, practice: Practice, token: str, contact: Contact, form: Form, *, status: int = 200
) -> Response[str]:
    return booking_page(
        request,
        practice,
        "wait.html",
        status=status,
        form=form,
        contact=contact,
        weeks=WEEKS.items(),
        days=DAYS.items(),
        parts=PARTS.items(),
        step=flow_path(practice, token),
    )
