"""The second step: a day, a time, and a hold on it. Error, no times and times are three different pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.exceptions import ClientException, NotFoundException, TooManyRequestsException
from litestar.params import FromPath
from litestar.response.redirect import Redirect
from redis.asyncio import Redis

from booking.db.appointment_types import AppointmentType
from booking.db.holds import Wish
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.schedule import Resource
from booking.holds import Held, find_hold, hold
from booking.limits import Limit
from booking.offers import alternatives, choosable_providers, wished_type
from widget import flow as flows
from widget.book.choose import CLIENTS, LONGEST_SOURCE, begin
from widget.book.picker import pick, start_of
from widget.book.shell import TheFlow, ThePractice, booking_page, flow_path, too_often
from widget.clock import now
from widget.flow import Flow, next_step
from widget.forms import Form, read_form, uuid_of
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis

HOLDS = Limit(name="hold-address", times=60, per=timedelta(minutes=10))


@get("/book/{slug:str}/times")
async def times_by_link(practice: ThePractice, request: HttpRequest, pool: ThePool) -> Response[str] | Redirect:
    """Show the times of the kind of visit that a link names, before a flow has begun."""
    query = request.query_params
    wish = wish_named(query.get("type", ""), query.get("species", ""), query.get("client", ""))
    if wish is None:
        known = {name: query[name] for name in ("type", "species", "client", "source") if query.get(name)}
        return see_other(f"/book/{practice.slug}?{urlencode(known)}")
    form = Form({"source": query.get("source", "")[:LONGEST_SOURCE]})
    return await _times_page(request, practice, pool, wish, form)


@post("/book/{slug:str}/times")
async def hold_by_link(practice: ThePractice, request: HttpRequest, pool: ThePool, redis: TheRedis) -> Response[str]:
    """Begin a flow with a time of the kind of visit that a link named."""
    form = await read_form(request)
    wish = wish_named(*(form.values.get(name, "") for name in ("type", "species", "client")))
    if wish is None:
        raise ClientException
    wish = with_provider(wish, form.values.get("provider", ""))
    start = start_of(form)
    if start is None:
        return await _times_page(request, practice, pool, wish, form, status=422)
    async with of_practice(pool, practice.practice_id) as conn:
        await wished_type(conn, practice, wish)
    token = await begin(request, practice, redis, wish, source=form.line("source", most=LONGEST_SOURCE))
    flow = await flows.load(redis, practice, token)
    if flow is None:
        raise NotFoundException
    return await _hold(request, practice, pool, redis, token, flow, start)


@get("/book/{slug:str}/f/{token:str}/times")
async def times(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Show the times of the kind of visit that was chosen."""
    return await _times_page(request, practice, pool, flow.wish, Form(), flow=flow, token=token)


@post("/book/{slug:str}/f/{token:str}/times")
async def hold_time(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool, redis: TheRedis
) -> Response[str]:
    """Keep a time, in place of the one that was kept before."""
    form = await read_form(request)
    wish = with_provider(flow.wish, form.values.get("provider", ""))
    start = start_of(form)
    if start is None:
        return await _times_page(request, practice, pool, wish, form, flow=flow, token=token, status=422)
    flow = msgspec.structs.replace(flow, wish=wish)
    return await _hold(request, practice, pool, redis, token, flow, start)


@get("/book/{slug:str}/f/{token:str}/taken")
async def taken(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, request: HttpRequest, pool: ThePool
) -> Response[str] | Redirect:
    """Offer the nearest other times where somebody was faster; everything else that was entered stays."""
    if flow.starts_at is None:
        return see_other(f"{flow_path(practice, token)}/{next_step(flow)}")
    moment = now()
    day = max(flow.starts_at, moment)
    slots = await alternatives(pool, practice, flow.wish, day, now=moment, own=(flow.hold_id,) if flow.hold_id else ())
    async with of_practice(pool, practice.practice_id) as conn:
        providers = await choosable_providers(conn, practice, await wished_type(conn, practice, flow.wish))
    return booking_page(
        request,
        practice,
        "taken.html",
        flow=flow,
        slots=slots,
        served_by=_served_by(providers),
        step=flow_path(practice, token),
        form=Form(),
    )


async def _hold(
    request: HttpRequest, practice: Practice, pool: Pool, redis: Redis, token: str, flow: Flow, start: datetime
) -> Response[str]:
    if await too_often(request, practice, redis, HOLDS):
        raise TooManyRequestsException
    before = await find_hold(pool, practice, flow.hold_id, flow.hold_secret) if flow.hold_id else None
    held = await hold(pool, practice, flow.wish, start, now=now(), instead_of=before, in_turn=True)
    if not isinstance(held, Held):
        await flows.save(redis, practice, token, msgspec.structs.replace(flow, starts_at=start))
        return see_other(f"{flow_path(practice, token)}/taken")
    flow = msgspec.structs.replace(
        flow, starts_at=start, hold_id=held.hold.hold_id, hold_secret=held.secret, waiting=False
    )
    await flows.save(redis, practice, token, flow)
    return see_other(f"{flow_path(practice, token)}/{next_step(flow)}")


async def _times_page(
    request: HttpRequest,
    practice: Practice,
    pool: Pool,
    wish: Wish,
    form: Form,
    *,
    flow: Flow | None = None,
    token: str = "",
    status: int = 200,
) -> Response[str]:
    query = request.query_params
    if "provider" in query:
        wish = with_provider(wish, query["provider"])
    picker = await pick(pool, practice, wish, query, now=now(), own=(flow.hold_id,) if flow and flow.hold_id else ())
    wish = picker.wish
    return booking_page(
        request,
        practice,
        "times.html",
        status=status,
        event="slots-shown" if {"day", "from"} & set(query) else "type-selected slots-shown",
        form=form,
        flow=flow,
        picker=picker,
        wanted=flow.starts_at if flow else None,
        here=_address(practice, token, wish, form.values.get("source", "")),
        action=f"{flow_path(practice, token)}/times" if flow else f"/book/{practice.slug}/times",
        wait=f"{flow_path(practice, token)}/wait/begin" if flow else f"/book/{practice.slug}/wait",
        ask=f"{flow_path(practice, token)}/request" if flow else _ask_path(practice, picker.appointment_type, wish),
    )


def _served_by(providers: list[Resource]) -> dict[str, str]:
    return {str(one.resource_id): one.name for one in providers}


def wish_named(type_: str, species: str, client: str) -> Wish | None:
    """Return what a link or a form names; None where it leaves something out."""
    type_id = uuid_of(type_)
    if type_id is None or not species or client not in CLIENTS:
        return None
    return Wish(appointment_type_id=type_id, patients=(species[:100],), new_client=client == "new")


def with_provider(wish: Wish, provider: str) -> Wish:
    """Return a wish for one provider, or for anybody where the id is none."""
    return msgspec.structs.replace(wish, provider_id=uuid_of(provider))


def _address(practice: Practice, token: str, wish: Wish, source: str) -> str:
    """Return the page's own address, to which a day may be added."""
    provider = {"provider": str(wish.provider_id or "")}
    if token:
        return f"{flow_path(practice, token)}/times?{urlencode(provider)}"
    return f"/book/{practice.slug}/times?{urlencode(_named(wish) | provider | ({'source': source} if source else {}))}"


def _ask_path(practice: Practice, appointment_type: AppointmentType, wish: Wish) -> str:
    known = {"type": str(appointment_type.appointment_type_id), "species": wish.species}
    return f"/book/{practice.slug}/request?{urlencode(known)}"


def _named(wish: Wish) -> dict[str, str]:
    client = "new" if wish.new_client else "existing"
    return {"type": str(wish.appointment_type_id), "species": wish.species, "client": client}
