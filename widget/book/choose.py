"""The first step: for whom, and what kind of visit. Two small pages, then a flow begins."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby

import msgspec
from litestar import Response, get, post
from litestar.exceptions import TooManyRequestsException
from litestar.params import FromPath
from redis.asyncio import Redis

from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.holds import release
from booking.limits import Limit
from booking.offers import offered_types
from booking.policies import nothing_is_urgent
from booking.tokens import new_secret
from widget import flow as flows
from widget.book.shell import TheFlow, ThePractice, booking_page, flow_path, too_often
from widget.flow import Flow, next_step
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis

LONGEST_REASON = 500
LONGEST_SOURCE = 100
CLIENTS = ("existing", "new")
BEGINNINGS = Limit(name="flow-address", times=120, per=timedelta(minutes=10))
CHOOSE_TYPE = "Please choose what the visit is for."


@get("/book/{slug:str}")
async def choose(practice: ThePractice, request: HttpRequest, pool: ThePool) -> Response[str]:
    """Ask for species and new or existing client; knowing both, for the kind of visit."""
    form = Form({name: request.query_params.get(name, "") for name in ("species", "client", "type", "source")})
    async with of_practice(pool, practice.practice_id) as conn:
        offered = await offered_types(conn, practice)
    species = species_of(offered)
    form.chosen("species", species, missing="Please choose what kind of pet you have.")
    form.chosen("client", CLIENTS, missing="Please say whether we know you.")
    if form.errors:
        if "asked" not in request.query_params:
            form.errors.clear()
        return booking_page(
            request,
            practice,
            "choose.html",
            status=422 if form.errors else 200,
            event="open",
            form=form,
            options=species,
        )
    if practice.who_may_book == "existing_clients" and form.values["client"] == "new":
        return see_other(f"/book/{practice.slug}/request?client=new&species={form.values['species']}")
    return await _types_page(request, practice, pool, form)


@post("/book/{slug:str}")
async def choose_type(practice: ThePractice, request: HttpRequest, pool: ThePool, redis: TheRedis) -> Response[str]:
    """Begin a flow with the kind of visit and the reason for it."""
    form = await read_form(request)
    async with of_practice(pool, practice.practice_id) as conn:
        offered = await offered_types(conn, practice)
    species = form.chosen("species", species_of(offered), missing="Please choose what kind of pet you have.")
    client = form.chosen("client", CLIENTS, missing="Please say whether we know you.")
    if form.errors:
        return booking_page(request, practice, "choose.html", status=422, form=form, options=species_of(offered))
    chosen = _chosen_type(form, _fitting(offered, species, new_client=client == "new"))
    reason = form.lines("reason", most=LONGEST_REASON)
    if form.errors or chosen is None:
        return await _types_page(request, practice, pool, form, status=422)
    nothing_is_urgent(practice, [reason])
    token = await begin(
        request,
        practice,
        redis,
        Wish(appointment_type_id=chosen.appointment_type_id, patients=(species,), new_client=client == "new"),
        reason=reason,
        source=form.line("source", most=LONGEST_SOURCE),
    )
    return see_other(f"{flow_path(practice, token)}/{'request' if chosen.calls_back else 'times'}")


@get("/book/{slug:str}/f/{token:str}/visit")
async def change_type_page(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Show the kinds of visit again, with what was chosen."""
    form = Form({"type": str(flow.wish.appointment_type_id), "reason": flow.reason})
    return await _types_page(request, practice, pool, form, flow=flow, step=flow_path(practice, token))


@post("/book/{slug:str}/f/{token:str}/visit")
async def change_type(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Response[str]:
    """Take another kind of visit, which needs another time, or only other words about it."""
    form = await read_form(request)
    async with of_practice(pool, practice.practice_id) as conn:
        offered = await offered_types(conn, practice)
    chosen = _chosen_type(form, _fitting(offered, flow.wish.species, new_client=flow.wish.new_client))
    reason = form.lines("reason", most=LONGEST_REASON)
    if form.errors or chosen is None:
        return await _types_page(request, practice, pool, form, status=422, flow=flow, step=flow_path(practice, token))
    nothing_is_urgent(practice, [reason])
    changed = msgspec.structs.replace(flow, reason=reason)
    if chosen.appointment_type_id != flow.wish.appointment_type_id:
        if flow.hold_id is not None:
            await release(pool, practice, flow.hold_id, flow.hold_secret)
        wish = msgspec.structs.replace(flow.wish, appointment_type_id=chosen.appointment_type_id, provider_id=None)
        changed = msgspec.structs.replace(
            changed, wish=wish, hold_id=None, hold_secret="", starts_at=None, waits_until=None
        )
    await flows.save(redis, practice, token, changed)
    return see_other(f"{flow_path(practice, token)}/{'request' if chosen.calls_back else next_step(changed)}")


async def begin(
    request: HttpRequest,
    practice: Practice,
    redis: Redis,
    wish: Wish,
    *,
    reason: str = "",
    source: str = "",
    waiting: bool = False,
) -> str:
    """Begin a flow; its token."""
    if await too_often(request, practice, redis, BEGINNINGS):
        raise TooManyRequestsException
    flow = Flow(key=new_secret(), wish=wish, reason=reason, source=source, waiting=waiting)
    return await flows.begin(redis, practice, flow)


async def _types_page(
    request: HttpRequest,
    practice: Practice,
    pool: Pool,
    form: Form,
    *,
    status: int = 200,
    flow: Flow | None = None,
    step: str = "",
) -> Response[str]:
    species = flow.wish.species if flow else form.values["species"]
    new_client = flow.wish.new_client if flow else form.values["client"] == "new"
    async with of_practice(pool, practice.practice_id) as conn:
        types = await offered_types(conn, practice, species=species, new_client=new_client)
    # The practice's order, except that a category stands together where its first type stands.
    order = list(dict.fromkeys(one.category for one in types))
    groups = groupby(sorted(types, key=lambda one: order.index(one.category)), key=lambda one: one.category)
    return booking_page(
        request,
        practice,
        "visit.html",
        status=status,
        form=form,
        flow=flow,
        step=step,
        species=species,
        new_client=new_client,
        groups=[(category, list(members)) for category, members in groups],
    )


def species_of(types: list[AppointmentType]) -> list[str]:
    """Return the species that something is offered for, the most served first."""
    every = [species for one in types for species in one.species]
    return sorted(dict.fromkeys(every), key=lambda species: -every.count(species))


def _fitting(types: list[AppointmentType], species: str, *, new_client: bool) -> list[AppointmentType]:
    unwanted = "existing" if new_client else "new"
    return [one for one in types if species in one.species and one.who_may_book != unwanted]


def _chosen_type(form: Form, types: list[AppointmentType]) -> AppointmentType | None:
    by_id = {str(one.appointment_type_id): one for one in types}
    return by_id.get(form.chosen("type", by_id, missing=CHOOSE_TYPE))
