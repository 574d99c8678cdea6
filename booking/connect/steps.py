"""The steps by which a PIMS gets connected, each of which can be taken up again where it was left.

    requested → activating → ready_for_setup → importing → live ⇄ paused

Before the import everything that `todo` names has to be done: address and credentials, a check that the PIMS is the
practice's, a mapping, import settings, a dry run. Who has to do what next is always told.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from booking.connect.refusals import (
    ConnectionBegun,
    ConnectionUnknown,
    StepOutOfOrder,
    SystemUnknown,
    TermsNotAccepted,
)
from booking.connect.todo import todo
from booking.db import connection_steps as db
from booking.db import mirror, practices, write_backs
from booking.db.connection_steps import PracticeInformation, Steps, Terms
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.db.staff import record_change
from pims_adapters import system_of, systems

TERMS = "2026-11"
"""The version of the terms in `docs/connecting.md` that are accepted when a connection is asked for."""


async def begin(
    conn: Connection,
    practice: Practice,
    *,
    adapter: str,
    information: PracticeInformation,
    terms: str,
    by: UUID,
    now: datetime,
) -> Steps:
    """Ask for a connection, in the caller's transaction.

    Raises `SystemUnknown`, `TermsNotAccepted` and `ConnectionBegun`.
    """
    if adapter not in systems():
        raise SystemUnknown(SystemUnknown.__doc__)
    if terms != TERMS:
        raise TermsNotAccepted(TermsNotAccepted.__doc__)
    system = system_of(adapter)
    begun = await db.begin(
        conn,
        practice.practice_id,
        uuid4(),
        adapter=adapter,
        status="requested" if system.third_party else "activating" if system.agent else "ready_for_setup",
        practice_information=information,
        terms=Terms(version=terms, accepted_at=now, accepted_by=by),
    )
    if not begun:
        raise ConnectionBegun(ConnectionBegun.__doc__)
    steps = await locked(conn, practice.practice_id)
    await audit(conn, steps, "begun", {"adapter": adapter, "terms": terms}, by=by, now=now)
    return steps


async def note_activation(conn: Connection, practice_id: UUID, *, done: bool, by: UUID, now: datetime) -> Steps:
    """Note that the third party was asked to switch the connection on, or that it has. Raises `StepOutOfOrder`."""
    steps = await locked(conn, practice_id)
    if steps.status not in ("requested", "activating"):
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    await db.set_status(conn, practice_id, "ready_for_setup" if done else "activating")
    await audit(conn, steps, "activated" if done else "activating", None, by=by, now=now)
    return await locked(conn, practice_id)


async def agent_came(conn: Connection, practice_id: UUID) -> None:
    """Note that the practice's agent has said hello: what was waited for is there."""
    steps = await db.lock_steps(conn, practice_id)
    if steps is not None and steps.status in ("requested", "activating"):
        await db.set_status(conn, practice_id, "ready_for_setup")


async def go_live(conn: Connection, practice_id: UUID, *, accept_conflicts: bool, by: UUID, now: datetime) -> Steps:
    """Begin the import; when it is through, the connection is live. Raises `StepOutOfOrder`.

    `accept_conflicts`: staff have read what the dry run found and go on; what blocks cannot be accepted.
    """
    steps = await locked(conn, practice_id)
    if accept_conflicts:
        await db.accept_conflicts(conn, practice_id)
        steps = await locked(conn, practice_id)
    open_ = next((one for one in todo(steps) if not one.done and one.step not in ("go_live", "import")), None)
    if steps.status != "ready_for_setup" or open_ is not None:
        raise StepOutOfOrder(StepOutOfOrder.__doc__ if open_ is None else f"First: {open_.explanation}")
    await db.unlink(
        conn,
        practice_id,
        [one.pims_id for one in steps.maps.resources],
        [one.pims_id for one in steps.maps.types],
    )
    for link in steps.maps.resources:
        if link.ours is not None:
            await db.link_resource(conn, practice_id, link.ours, link.pims_id)
    for link in steps.maps.types:
        if link.ours is not None:
            await db.link_type(conn, practice_id, link.ours, link.pims_id)
    await practices.allow_age(conn, practice_id, system_of(steps.adapter).fresh_for)
    await db.set_status(conn, practice_id, "importing")
    await practices.raise_schedule_version(conn, practice_id)
    await write_backs.wake_workers(conn, "sync")
    await audit(conn, steps, "importing", None, by=by, now=now)
    return await locked(conn, practice_id)


async def note_imported(conn: Connection, practice_id: UUID) -> None:
    """Note, in the caller's transaction, that the mirror has come up to date for the first time: it is live now."""
    steps = await db.lock_steps(conn, practice_id)
    if steps is None or steps.status != "importing":
        return
    for link in steps.maps.resources:
        if link.roles:
            await mirror.set_roles(conn, practice_id, link.pims_id, list(link.roles))
    await db.set_status(conn, practice_id, "live")
    await practices.raise_schedule_version(conn, practice_id)
    await write_backs.wake_workers(conn, "write_back")


async def pause(conn: Connection, practice_id: UUID, because: str, *, by: UUID, now: datetime) -> Steps:
    """Stop reading and writing; bookings go on as freshness allows, and their write-backs wait.

    Raises `StepOutOfOrder`.
    """
    steps = await locked(conn, practice_id)
    if steps.status not in ("importing", "live"):
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    await db.set_status(conn, practice_id, "paused", because=because)
    await audit(conn, steps, "paused", {"because": because}, by=by, now=now)
    return await locked(conn, practice_id)


async def resume(conn: Connection, practice_id: UUID, *, by: UUID, now: datetime) -> Steps:
    """Go on after a pause: what has changed meanwhile is read first, then what waits is written."""
    steps = await locked(conn, practice_id)
    if steps.status != "paused":
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    await db.set_status(conn, practice_id, "importing")
    await write_backs.wake_workers(conn, "sync")
    await audit(conn, steps, "resumed", None, by=by, now=now)
    return await locked(conn, practice_id)


async def locked(conn: Connection, practice_id: UUID) -> Steps:
    """Return the practice's connection, kept from others until the transaction ends. Raises `ConnectionUnknown`."""
    steps = await db.lock_steps(conn, practice_id)
    if steps is None:
        raise ConnectionUnknown(ConnectionUnknown.__doc__)
    return steps


async def audit(conn: Connection, steps: Steps, what: str, after: object, *, by: UUID, now: datetime) -> None:
    """Write into the audit log what was done to a connection; never a secret."""
    await record_change(
        conn,
        steps.practice_id,
        actor_id=by,
        what="connection",
        subject_id=steps.connection_id,
        before={"status": steps.status},
        after={"step": what, "told": after},
        now=now,
    )
