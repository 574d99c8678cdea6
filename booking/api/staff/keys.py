"""API keys: what lets a practice's own programs in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import REPEATABLE, TheKey, ThePool, TheSite, now
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.api_keys import NewKey, ScopesBeyondYours, make_key, revoke_key, token_again
from booking.db import api_keys as keys_db
from booking.db.api_keys import ApiKey
from booking.db.pool import of_practice
from booking.once import KeyBusy, KeyMissing, KeyReused, keep, once
from booking.scopes import Scope

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)


class AskedKey(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A key to be made: what it is for, what it may do, and until when."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=20)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class Key(Struct, frozen=True, kw_only=True, rename="camel"):
    """A key as it can be shown at any time. `lastUsedAt` is true to the hour."""

    id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeKey(Struct, frozen=True, kw_only=True, rename="camel"):
    """A key that was just made. `token` is shown here only: send it as `Authorization: Bearer …`."""

    key: Key
    token: str


class Keys(Struct, frozen=True, kw_only=True, rename="camel"):
    """The practice's keys, the newest first."""

    items: list[Key]


@get("/", guards=[Needs("keys:write")], responses=declared(*REFUSED))
async def list_keys(who: TheStaff, pool: ThePool) -> Keys:
    """List the practice's API keys, without their secrets."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        return Keys(items=[_shown(one) for one in await keys_db.api_keys(conn, practice_id)])


@post(
    "/",
    guards=[Needs("keys:write")],
    dependencies=REPEATABLE,
    responses=declared(*REFUSED, ScopesBeyondYours, KeyMissing, KeyReused, KeyBusy),
)
async def create_key(who: TheStaff, pool: ThePool, site: TheSite, key: TheKey, data: JSONBody[AskedKey]) -> MadeKey:
    """Make an API key that may do no more than whoever makes it."""
    practice_id, at = who.practice.practice_id, now()
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        kept = await once(conn, practice_id, key, data, at)
        if kept is not None:
            known = await keys_db.api_key_by_id(conn, practice_id, UUID(kept))
            if known is None:
                raise KeyReused(KeyReused.__doc__)
            return MadeKey(key=_shown(known), token=token_again(site.secret_key, practice_id, known.api_key_id))
        new = NewKey(name=data.name, scopes=data.scopes, expires_at=data.expires_at)
        made, token = await make_key(
            conn, practice_id, uuid4(), new, by=who.actor, may=who.scopes, secret_key=site.secret_key, now=at
        )
        await keep(conn, practice_id, key, str(made.api_key_id))
    return MadeKey(key=_shown(made), token=token)


@post(
    "/{api_key_id:uuid}/revoke",
    guards=[Needs("keys:write")],
    status_code=200,
    responses=declared(*REFUSED, NotFound),
)
async def end_key(who: TheStaff, pool: ThePool, api_key_id: FromPath[UUID]) -> Key:
    """Revoke a key for good, at once. Revoking it again changes nothing."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        ended = await revoke_key(conn, practice_id, api_key_id, by=who.actor, now=now())
    if ended is None:
        raise NotFound(NotFound.__doc__)
    return _shown(ended)


def _shown(key: ApiKey) -> Key:
    return Key(
        id=key.api_key_id,
        name=key.name,
        scopes=key.scopes,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )


router = Router("/keys", route_handlers=[list_keys, create_key, end_key])
