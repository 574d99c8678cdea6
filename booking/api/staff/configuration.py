"""The set-up of a practice: what there is, and changes to it, each with its number in the history."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Response, Router, get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from msgspec import Struct

from booking.api.given import REPEATABLE, TheKey, ThePool, now
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.api.staff.who import AtStaff, FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.api.staff.wire import WIRE, in_camel_case, received
from booking.configure.changes import (
    ChangedMeanwhile,
    ConfigurationRefused,
    NothingThere,
    OwnedByPims,
    Proposal,
    change,
    tag_of,
)
from booking.configure.set_up import set_up_of
from booking.db.configuration import FIRST, Item, Kind, items, lock_item
from booking.db.pool import Pool, of_practice
from booking.lint import Remark, lint
from booking.once import KeyBusy, KeyMissing, KeyReused, keep, once

if TYPE_CHECKING:
    Wire = Struct

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
OF_CHANGE = (*REFUSED, NotFound, ConfigurationRefused, OwnedByPims, ChangedMeanwhile)
PATHS: dict[Kind, str] = {
    "practice": "practice",
    "appointment_type": "appointment-types",
    "resource": "resources",
    "rule": "rules",
    "closure": "closures",
    "block_off": "block-offs",
    "question": "questions",
}
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", max_length=100, description="The ETag of what you saw: refused if it changed."),
]


class Entry(Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing of the set-up. `tag`: its ETag. `fromPims`: mirrored, so that only the practice's own fields change."""

    id: UUID
    tag: str
    from_pims: bool
    settings: Any


class Entries(Struct, frozen=True, kw_only=True, rename="camel"):
    """What there is of a kind, in the order of the ids; `next` is where the list goes on."""

    items: list[Entry]
    next: UUID | None


class Made(Struct, frozen=True, kw_only=True):
    """What is kept of a change for whoever sends it again."""

    version: int
    entry: Entry


class Saved(Struct, frozen=True, kw_only=True, rename="camel"):
    """A change that stands: its number in the history, how the thing is now, and what the lint says of the set-up."""

    version: int
    entry: Entry
    warnings: list[Remark]


def shown(item: Item) -> Entry:
    """Return a thing of the set-up as it is sent."""
    return Entry(
        id=item.id, tag=tag_of(item), from_pims=item.pims_id is not None, settings=in_camel_case(item.settings)
    )


async def save(pool: Pool, who: AtStaff, proposal: Proposal, key: str | None = None) -> Response[Saved]:
    """Make a change, once if it has a key, and answer with what the lint says of the set-up as it is now."""
    practice_id, at = who.practice.practice_id, now()
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        kept = None if key is None else await once(conn, practice_id, key, _asked(proposal), at)
        if kept is not None:
            made = msgspec.convert(kept, Made)
        else:
            try:
                changed = await change(conn, practice_id, proposal, by=who.actor, now=at)
            except NothingThere as error:
                raise NotFound(NotFound.__doc__) from error
            made = Made(version=changed.number, entry=shown(changed.item))
            if key is not None:
                await keep(conn, practice_id, key, msgspec.to_builtins(made))
    return await answered(pool, practice_id, made, status=201 if key else 200)


async def answered(pool: Pool, practice_id: UUID, made: Made, *, status: int = 200) -> Response[Saved]:
    """Answer a change, with the lint's remarks."""
    saved = Saved(version=made.version, entry=made.entry, warnings=await remarks(pool, practice_id))
    return Response(saved, status_code=status, headers={"etag": f'"{saved.entry.tag}"'})


async def remarks(pool: Pool, practice_id: UUID) -> list[Remark]:
    """Return what the lint says now; it thinks in a thread, holding nobody up."""
    async with of_practice(pool, practice_id) as conn:
        set_up = await set_up_of(conn, practice_id)
    return await asyncio.to_thread(lint, set_up, now())


def _asked(proposal: Proposal) -> Proposal:
    """Return what makes two requests the same: not the id, which each would choose anew."""
    return msgspec.structs.replace(proposal, id=FIRST)


def wanted_tag(if_match: str | None) -> str | None:
    """Return the tag that a client saw, or None where any will do."""
    return None if if_match in (None, "*") else str(if_match).removeprefix("W/").strip('"')


def routes_of(kind: Kind) -> Router:
    """Return the routes of one kind: list, read, create, change, retire."""
    noun = kind.replace("_", " ")
    reads, writes = [Needs("configuration:read")], [Needs("configuration:write")]

    @get("/", guards=reads, responses=declared(*REFUSED), operation_id=f"list_{kind}", summary=f"List: {noun}")
    async def list_entries(
        who: TheStaff,
        pool: ThePool,
        after: Annotated[UUID | None, QueryParameter(description="The cursor of the page before.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 100,
    ) -> Entries:
        """List what there is and not retired."""
        practice_id = who.practice.practice_id
        async with of_practice(pool, practice_id) as conn:
            found = await items(conn, practice_id, kind, after=after or FIRST, limit=limit + 1)
        return Entries(
            items=[shown(one) for one in found[:limit]], next=found[limit - 1].id if len(found) > limit else None
        )

    @get(
        "/{item_id:uuid}",
        guards=reads,
        responses=declared(*REFUSED, NotFound),
        operation_id=f"read_{kind}",
        summary=f"Read: {noun}",
    )
    async def read_entry(who: TheStaff, pool: ThePool, item_id: FromPath[UUID]) -> Response[Entry]:
        """Read one thing; its ETag goes with a change as If-Match."""
        async with of_practice(pool, who.practice.practice_id) as conn, conn.transaction():
            found = await lock_item(conn, who.practice.practice_id, kind, item_id)
        if found is None:
            raise NotFound(NotFound.__doc__)
        return Response(shown(found), headers={"etag": f'"{tag_of(found)}"'})

    @post(
        "/",
        guards=writes,
        dependencies=REPEATABLE,
        responses={**declared(*OF_CHANGE, KeyMissing, KeyReused, KeyBusy), 201: ResponseSpec(Saved)},
        operation_id=f"create_{kind}",
        summary=f"Create: {noun}",
    )
    async def create_entry(who: TheStaff, pool: ThePool, key: TheKey, data: JSONBody[Wire]) -> Response[Saved]:
        """Add one thing to the set-up."""
        proposal = Proposal(kind=kind, id=uuid4(), settings=received(kind, data), is_new=True)
        return await save(pool, who, proposal, key)

    @put(
        "/{item_id:uuid}",
        guards=writes,
        responses=declared(*OF_CHANGE),
        operation_id=f"change_{kind}",
        summary=f"Change: {noun}",
    )
    async def change_entry(
        who: TheStaff, pool: ThePool, item_id: FromPath[UUID], data: JSONBody[Wire], if_match: IfMatch = None
    ) -> Response[Saved]:
        """Set all that can be set of one thing; send its ETag as If-Match to be told if somebody else was faster."""
        proposal = Proposal(kind=kind, id=item_id, settings=received(kind, data), tag=wanted_tag(if_match))
        return await save(pool, who, proposal)

    @post(
        "/{item_id:uuid}/retire",
        guards=writes,
        status_code=200,
        responses=declared(*OF_CHANGE),
        operation_id=f"retire_{kind}",
        summary=f"Retire: {noun}",
    )
    async def retire_entry(
        who: TheStaff, pool: ThePool, item_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[Saved]:
        """Take one thing out of use; what stands already stays. Reverting the change brings it back."""
        return await save(pool, who, Proposal(kind=kind, id=item_id, settings=None, tag=wanted_tag(if_match)))

    handlers = [list_entries, read_entry, change_entry]
    return Router(
        f"/configuration/{PATHS[kind]}",
        route_handlers=handlers if kind == "practice" else [*handlers, create_entry, retire_entry],
        signature_namespace={"Wire": WIRE[kind]},
        tags=["configuration"],
    )


class Remarks(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the lint says, in plain words."""

    warnings: list[Remark]


@get("/configuration/lint", guards=[Needs("configuration:read")], responses=declared(*REFUSED))
async def read_lint(who: TheStaff, pool: ThePool) -> Remarks:
    """Say in plain words what in the set-up cannot be meant so."""
    return Remarks(warnings=await remarks(pool, who.practice.practice_id))


routers = [routes_of(kind) for kind in PATHS]
router = Router("/", route_handlers=[*routers, read_lint])
