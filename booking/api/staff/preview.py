"""Preview: what a change would do to the next two weeks, before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Struct

from booking.api.given import ThePool, now
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.api.staff.configuration import OF_CHANGE
from booking.api.staff.who import Needs, TheStaff
from booking.api.staff.wire import WIRE, received
from booking.configure.changes import NothingThere, Proposal
from booking.db.configuration import Kind
from booking.preview import PreviewDay, preview


class Previewed(Struct, frozen=True, kw_only=True, rename="camel"):
    """The next 14 local days, with and without the change."""

    days: list[PreviewDay]


def _proposed(kind: Kind) -> Any:  # noqa: ANN401 - a type is a value here
    wire = msgspec.defstruct(
        f"Proposed{WIRE[kind].__name__}",
        [("id", UUID | None, None), ("settings", WIRE[kind] | None, None)],
        tag_field="kind",
        tag=kind,
        rename="camel",
        forbid_unknown_fields=True,
        frozen=True,
        kw_only=True,
    )
    wire.__doc__ = "A change that is thought of. `id` null: something new. `settings` null: it is to be retired."
    return wire


PROPOSED: dict[Kind, Any] = {kind: _proposed(kind) for kind in WIRE}
if TYPE_CHECKING:
    AnyProposed = Any
else:
    AnyProposed = None
    for each in PROPOSED.values():
        AnyProposed = each if AnyProposed is None else AnyProposed | each


@post(
    "/configuration/preview",
    guards=[Needs("configuration:read")],
    status_code=200,
    responses=declared(*OF_CHANGE),
)
async def preview_change(who: TheStaff, pool: ThePool, data: JSONBody[AnyProposed]) -> Previewed:
    """Show the next two weeks as a client would see them, with and without a change; nothing is written."""
    kind = next(kind for kind, wire in PROPOSED.items() if isinstance(data, wire))
    proposal = Proposal(
        kind=kind,
        id=data.id or uuid4(),
        settings=None if data.settings is None else received(kind, data.settings),
        is_new=data.id is None,
    )
    try:
        return Previewed(days=await preview(pool, who.practice.practice_id, proposal, now=now()))
    except NothingThere as error:
        raise NotFound(NotFound.__doc__) from error


router = Router("/", route_handlers=[preview_change])
