"""What the booking pages share: the practice and the flow that an address names, and the page around each step."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from litestar import Response
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response.redirect import Redirect
from msgspec import Struct

from booking.db.pool import of_no_practice
from booking.db.practices import Practice, practice_by_slug
from booking.holds import find_hold
from booking.limits import Limit, address_block, exceeded
from booking.offers import NotBookableOnline
from booking.policies import Refused, Urgent
from widget import flow as flows
from widget.clock import now
from widget.flow import Flow, next_step
from widget.pages import page, see_other
from widget.security import may_be_framed
from widget.state import HttpRequest, ThePool, TheRedis

LONGEST_SLUG = 100


class Kept(Struct, frozen=True, kw_only=True):
    """The time that is kept for whoever is on the way. `seconds` 0: no longer, but nobody else has it yet."""

    starts_at: datetime
    expires_at: datetime
    seconds: int
    extended: bool


class FlowEnded(Exception):
    """The flow's 40 minutes are over, or its address was never one of ours."""


class GoElsewhere(Exception):
    """This step is not the one to be at."""

    def __init__(self, path: str) -> None:
        """Name the page to go to."""
        super().__init__()
        self.path = path


async def _practice(slug: FromPath[str], pool: ThePool, request: HttpRequest) -> Practice:
    if len(slug) > LONGEST_SLUG or "\0" in slug:
        raise NotFoundException
    async with of_no_practice(pool) as conn:
        practice = await practice_by_slug(conn, slug)
    if practice is None:
        raise NotFoundException
    request.scope["state"]["practice"] = practice
    may_be_framed(request, practice)
    return practice


ThePractice: TypeAlias = NamedDependency[Practice]


async def _flow(token: FromPath[str], practice: ThePractice, redis: TheRedis) -> Flow:
    flow = await flows.load(redis, practice, token)
    if flow is None:
        raise FlowEnded
    if flow.manage_token:
        raise GoElsewhere(f"/visit/{practice.slug}/{flow.manage_token}")
    return flow


TheFlow: TypeAlias = NamedDependency[Flow]


async def _kept_if_any(token: FromPath[str], practice: ThePractice, flow: TheFlow, pool: ThePool) -> Kept | None:
    return None if flow.waiting else await _kept(token, practice, flow, pool)


TheKeptIfAny: TypeAlias = NamedDependency[Kept | None]
"""Who joins the waitlist says who they are, too, and has no time yet."""


async def _kept(token: FromPath[str], practice: ThePractice, flow: TheFlow, pool: ThePool) -> Kept:
    if flow.hold_id is None:
        raise GoElsewhere(f"{flow_path(practice, token)}/{next_step(flow)}")
    hold = await find_hold(pool, practice, flow.hold_id, flow.hold_secret)
    if hold is None:
        raise GoElsewhere(f"{flow_path(practice, token)}/taken")
    left = int((hold.expires_at - now()).total_seconds())
    return Kept(starts_at=hold.starts_at, expires_at=hold.expires_at, seconds=max(0, left), extended=hold.extended)


TheKept: TypeAlias = NamedDependency[Kept]

PROVIDED = {"practice": Provide(_practice)}
PROVIDED_IN_FLOW = {"flow": Provide(_flow), "kept": Provide(_kept), "kept_if_any": Provide(_kept_if_any)}


def flow_path(practice: Practice, token: str) -> str:
    """Return the beginning of a flow's addresses."""
    return f"/book/{practice.slug}/f/{token}"


def booking_page(
    request: HttpRequest, practice: Practice, template: str, *, status: int = 200, event: str = "", **values: object
) -> Response[str]:
    """Return a step's page. `event`: what the website around a frame is told, by name only."""
    return page(
        f"book/{template}",
        status=status,
        practice=practice,
        start=f"/book/{practice.slug}",
        framed=request.headers.get("sec-fetch-dest") == "iframe",
        event=event,
        **values,
    )


async def too_often(request: HttpRequest, practice: Practice, redis: TheRedis, limit: Limit) -> bool:
    """Count one more against a limit by network address; whether that is too many."""
    return await exceeded(redis, practice.practice_id, [(limit, caller(request))]) is not None


def caller(request: HttpRequest) -> str:
    """Return the block of network addresses a request came from."""
    return address_block(request.client.host if request.client else "0.0.0.0")  # noqa: S104 - no address: all share one


def go_elsewhere(_: HttpRequest, elsewhere: GoElsewhere) -> Redirect:
    """Lead to the page to be at."""
    return see_other(elsewhere.path)


def flow_ended(request: HttpRequest, _: FlowEnded) -> Response[str]:
    """Say that the flow has ended; nothing was booked by it."""
    return booking_page(request, request.scope["state"]["practice"], "ended.html", status=410)


def not_bookable_online(request: HttpRequest, _: NotBookableOnline) -> Response[str]:
    """Say that the visit cannot be booked online as asked."""
    return booking_page(request, request.scope["state"]["practice"], "not_offered.html", status=422)


def refused(request: HttpRequest, refusal: Refused) -> Response[str]:
    """Say why the practice does not book it online, and what to do instead."""
    practice: Practice = request.scope["state"]["practice"]
    token = request.path_params.get("token")
    return booking_page(
        request,
        practice,
        "urgent.html" if isinstance(refusal, Urgent) else "refused.html",
        status=422,
        why=str(refusal),
        back=flow_path(practice, token) if token else "",
    )
