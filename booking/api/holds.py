"""Holds: keep a time for minutes, so that nobody else takes it while its client says who they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Router, delete, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import (
    MAY_BE_REPEATED,
    HttpRequest,
    TheKey,
    ThePool,
    ThePractice,
    TheSite,
    bearer,
    now,
    within_reach,
)
from booking.api.limits import limited
from booking.api.practices import Species
from booking.api.problems import Alternative, declared
from booking.api.refusals import HoldNotExtended, NotFound, SlotIsTaken, StartUnclear, WishUnclear
from booking.db import practices
from booking.db.holds import Wish
from booking.db.pool import Pool, of_no_practice
from booking.db.practices import Practice
from booking.holds import HoldUnknown, Once, SlotTaken, extend, find_hold, hold, release
from booking.offers import NotBookableOnline
from booking.once import KeyBusy, KeyReused
from booking.site import Site
from booking.slot_token import LONGEST, SlotTokenRefused, read_token, signer
from booking.tokens import sealed, unsealed

TEN_MINUTES = timedelta(minutes=10)
OF_ONE_HOLD = [limited("hold", times=120, per=TEN_MINUTES)]


class Wanted(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The time to keep: a slot's token, or what is to be booked and when."""

    slot_token: Annotated[str, Meta(max_length=LONGEST)] | None = None
    appointment_type: UUID | None = None
    start: Annotated[datetime, Meta(tz=True)] | None = None
    provider: UUID | None = None
    patients: Annotated[tuple[Species, ...], Meta(min_length=1, max_length=4)] = ("dog",)
    client: Literal["new", "existing"] = "existing"


class HeldShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """The time is kept until `expiresAt` for whoever has the secret."""

    id: UUID
    secret: str
    start: datetime
    end: datetime
    expires_at: datetime


class Extended(Struct, frozen=True, kw_only=True, rename="camel"):
    """Until when the time is kept now."""

    expires_at: datetime


@post(
    "/practices/{slug:str}/holds",
    guards=[limited("holds", times=60, per=TEN_MINUTES)],
    dependencies=MAY_BE_REPEATED,
    responses=declared(
        NotFound,
        SlotIsTaken,
        NotBookableOnline,
        SlotTokenRefused,
        WishUnclear,
        StartUnclear,
        HoldUnknown,
        KeyReused,
        KeyBusy,
    ),
)
async def create_hold(
    practice: ThePractice, data: JSONBody[Wanted], key: TheKey, pool: ThePool, site: TheSite
) -> HeldShown:
    """Keep a time. 409 `slot-taken` names others where somebody was faster."""
    at = now()
    wish, start = _wanted(site, practice, data, at)
    under = Once(key=key, secret_key=site.secret_key) if key else None
    held = await hold(pool, practice, wish, start, now=at, under=under, in_turn=True)
    if isinstance(held, SlotTaken):
        raise slot_is_taken(site, practice, wish, held, at)
    return HeldShown(
        id=held.hold.hold_id,
        secret=sealed("hs", practice.practice_id, held.secret),
        start=held.hold.starts_at,
        end=held.hold.ends_at,
        expires_at=held.hold.expires_at,
    )


def slot_is_taken(site: Site, practice: Practice, wish: Wish, taken: SlotTaken, at: datetime) -> SlotIsTaken:
    """Return the refusal of a lost time, with a token for each of the nearest that are still free."""
    token = signer(site.secret_key, practice.practice_id, wish, at)
    return SlotIsTaken(
        [Alternative(start=one.start, end=one.end, token=token(one.start)) for one in taken.alternatives]
    )


def _wanted(site: Site, practice: Practice, wanted: Wanted, at: datetime) -> tuple[Wish, datetime]:
    if wanted.slot_token is not None:
        return read_token(site.secret_key, practice.practice_id, wanted.slot_token, at)
    if wanted.appointment_type is None or wanted.start is None:
        raise WishUnclear(WishUnclear.__doc__)
    wish = Wish(
        appointment_type_id=wanted.appointment_type,
        patients=wanted.patients,
        new_client=wanted.client == "new",
        provider_id=wanted.provider,
    )
    return wish, within_reach(wanted.start)


@post(
    "/holds/{hold_id:uuid}/extend",
    status_code=200,
    guards=OF_ONE_HOLD,
    responses=declared(HoldUnknown, HoldNotExtended),
)
async def extend_hold(hold_id: FromPath[UUID], request: HttpRequest, pool: ThePool) -> Extended:
    """Keep a time for longer, once. The hold's secret comes as bearer token."""
    practice, secret = await _of_secret(pool, request)
    extended = await extend(pool, practice, hold_id, secret, now=now())
    held = await find_hold(pool, practice, hold_id, secret)
    if held is None:
        raise HoldUnknown(HoldUnknown.__doc__)
    if not extended:
        raise HoldNotExtended(HoldNotExtended.__doc__)
    return Extended(expires_at=held.expires_at)


@delete("/holds/{hold_id:uuid}", guards=OF_ONE_HOLD, responses=declared(HoldUnknown))
async def delete_hold(hold_id: FromPath[UUID], request: HttpRequest, pool: ThePool) -> None:
    """Let go of a time: it is free at once. The hold's secret comes as bearer token."""
    practice, secret = await _of_secret(pool, request)
    if not await release(pool, practice, hold_id, secret):
        raise HoldUnknown(HoldUnknown.__doc__)


async def _of_secret(pool: Pool, request: HttpRequest) -> tuple[Practice, str]:
    """Return the practice and the secret of the bearer token. Raises `HoldUnknown`."""
    opened = unsealed("hs", bearer(request))
    if opened is not None:
        async with of_no_practice(pool) as conn:
            practice = await practices.practice_by_id(conn, opened[0])
        if practice is not None:
            return practice, opened[1]
    raise HoldUnknown(HoldUnknown.__doc__)


router = Router("/", route_handlers=[create_hold, extend_hold, delete_hold], tags=["holds"])
