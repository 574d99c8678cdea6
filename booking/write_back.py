"""Write-back: bring an appointment, the client and patient it needs, and its changes into the practice's PIMS.

Once, and provably: a record is `written` when it was read back from the PIMS. When an answer fails to come, its fate is
`unknown`: it is settled by looking for our key in the PIMS, never by sending again blindly. `write_back_creations` and
`write_back_changes` do one line; here lines are taken in order, a few of a practice at once, and what became of them is
kept.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog

from booking.db import connections, mirror, write_backs
from booking.db.mirror import said_of
from booking.db.pool import Connection, Pool, of_practice
from booking.db.webhooks import Event
from booking.db.write_backs import Settled, State, WriteBack
from booking.deadlines import escalate_if_near, with_deadline
from booking.linking import identify, settle_match
from booking.site import Site
from booking.webhooks import announce
from booking.write_back_changes import change
from booking.write_back_creations import create
from booking.write_back_exports import export
from booking.write_back_outcomes import (
    Collided,
    LeaseLost,
    Matched,
    Outcome,
    Postponed,
    Stuck,
    Superseded,
    Waits,
    Written,
)
from booking.write_back_repair import Repaired, repair
from pims_adapters import contract as pims

LEASE = timedelta(seconds=15)
CALL_LIMIT = timedelta(seconds=12)  # ends before the lease does: nobody else sends while we may still be sending
MOST_ATTEMPTS = 40
AT_ONCE = 4
LONGEST_PAUSE = timedelta(minutes=5)
FOR_ANOTHER = timedelta(minutes=1)  # whoever waits is woken; this is for what no one wakes
DOES = {
    "create": create,
    "change": change,
    "cancel": change,
    "confirm": change,
    "status": change,
    "export": export,
}
ONE_EACH = ("appointment_pims_id_unique", "client_pims_id_unique", "patient_pims_id_unique")
EVENTS: dict[str, Event] = {"written": "write_back.written", "needs_attention": "write_back.needs_attention"}

log = structlog.get_logger()


async def deliver_due(
    pool: Pool,
    adapter: pims.PimsAdapter,
    practice_id: UUID,
    *,
    site: Site,
    clock: Callable[[], datetime],
    at_once: int = AT_ONCE,
    more: asyncio.Event | None = None,
) -> int:
    """Deliver what is due for a practice until nothing is, some lines at once; how many were tried.

    A booking's lines go in order. One that fails otherwise than a PIMS does lets those beside it finish, and is raised.
    `more` is set by whoever hears of another line while those on their way take long.
    """
    tried, running = 0, set[asyncio.Task[None]]()
    heard = asyncio.create_task((more or asyncio.Event()).wait())
    try:
        while True:
            if more is not None and heard.done():
                more.clear()
                heard = asyncio.create_task(more.wait())
            leased = await _lease(pool, practice_id, clock()) if len(running) < at_once else None
            if leased is not None:
                tried += 1
                running.add(asyncio.create_task(_deliver(pool, adapter, leased, site=site, clock=clock)))
                continue
            if not running:
                return tried
            await asyncio.wait({*running, heard}, return_when=asyncio.FIRST_COMPLETED)
            done = {one for one in running if one.done()}
            running -= done
            for one in done:
                one.result()
    finally:
        heard.cancel()
        # After a failure those beside it finish; when all of it is cut off, a line is taken up after its lease.
        await asyncio.gather(*running, return_exceptions=True)


async def _lease(pool: Pool, practice_id: UUID, now: datetime) -> WriteBack | None:
    async with of_practice(pool, practice_id) as conn:
        return await write_backs.lease_next(conn, practice_id, now=now, lease=uuid4(), until=now + LEASE)


async def _deliver(
    pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack, *, site: Site, clock: Callable[[], datetime]
) -> None:
    outcome: Outcome | Repaired = await _try(pool, adapter, leased, clock)
    told = False
    if isinstance(outcome, Collided):
        found = await repair(pool, leased, outcome.reason, site=site, now=clock())
        told = not isinstance(found, Repaired) and found.told
        outcome = found if isinstance(found, Repaired) else Stuck(reason=found.reason)
    await _settle(pool, leased, outcome, clock(), told=told)


async def _try(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack, clock: Callable[[], datetime]) -> Outcome:
    """Write one record and turn whatever goes wrong into an outcome. What is raised here was not sent by this try."""
    do = DOES[leased.action]
    try:
        async with asyncio.timeout(CALL_LIMIT.total_seconds()):
            return await do(pool, adapter, leased, clock)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=str(failure))
    except TimeoutError:
        return Postponed(reason="The PIMS took too long to answer.")
    except pims.PimsMisconfigured as failure:
        return Postponed(reason=str(failure))
    except pims.PimsRejected as refusal:
        return Stuck(reason=str(refusal), known=False)


class _LeaseLost(Exception):
    """Rolls back what a try would have kept: another worker's word counts."""


async def _settle(pool: Pool, leased: WriteBack, outcome: Outcome | Repaired, now: datetime, *, told: bool) -> None:
    """Keep what became of it, together with the identifier that the PIMS gave."""
    state: State | None = None
    if not isinstance(outcome, LeaseLost):
        try:
            state = await _kept(pool, leased, outcome, now, told=told)
        except asyncpg.UniqueViolationError as violation:
            # Two took the same identifier at once: whoever comes second now sees that it is another's.
            if violation.constraint_name not in ONE_EACH:
                raise
            state = await _kept(pool, leased, outcome, now, told=told)
    log.info(
        "write_back.settled" if state else "write_back.lease_lost",
        practice=str(leased.practice_id),
        write_back=str(leased.write_back_id),
        kind=leased.kind,
        action=leased.action,
        state=state,
        attempts=leased.attempts,
        seconds=round((now - leased.queued_at).total_seconds(), 3),
    )


async def _kept(
    pool: Pool, leased: WriteBack, outcome: Outcome | Repaired, now: datetime, *, told: bool
) -> State | None:
    try:
        async with of_practice(pool, leased.practice_id) as conn, conn.transaction():
            return await _keep(conn, leased, outcome, now, told=told)
    except _LeaseLost:
        return None


async def _keep(
    conn: Connection, leased: WriteBack, outcome: Outcome | Repaired, now: datetime, *, told: bool
) -> State:
    # In the order in which everybody locks: the appointment, the connection, its outbox.
    if isinstance(outcome, Written):
        outcome = await _stands(conn, leased, outcome)
    if isinstance(outcome, Matched) and leased.record != "appointment":
        await settle_match(conn, leased.practice_id, leased.record, leased.subject_id, outcome, now)
    state, kept = _settled(leased, outcome, now)
    if isinstance(outcome, Waits) and not await write_backs.still_unwritten(conn, leased.practice_id, outcome.for_id):
        kept = msgspec.structs.replace(kept, due_at=now, waits_for=None)
    as_expected = isinstance(outcome, Waits | Repaired) or (isinstance(outcome, Postponed) and outcome.expected)
    late = state not in ("written", "superseded") and not as_expected
    if told:
        kept = msgspec.structs.replace(kept, told_at=now)
    if late or leased.escalated_at is not None:
        kept = with_deadline(kept, leased, state, now)
    if not await write_backs.settle(conn, leased, state, kept, now):
        raise _LeaseLost
    if state in ("written", "superseded") and leased.kind in ("client", "patient"):
        await write_backs.release(conn, leased.practice_id, leased.subject_id, now)
    if state in EVENTS:
        await announce(conn, leased.practice_id, EVENTS[state], leased.write_back_id, now)
    if late:
        await escalate_if_near(conn, leased, now)
    return state


async def _stands(conn: Connection, leased: WriteBack, written: Written) -> Written | Stuck:
    """Remember how the PIMS shows it, and under which identifier, unless that is another one's."""
    practice_id = leased.practice_id
    if written.pims_id is not None and not await identify(
        conn, practice_id, leased.record, leased.subject_id, written.pims_id
    ):
        return Stuck(
            reason="In the PIMS this record belongs to another booking of ours. Please look there.", known=False
        )
    if leased.kind == "appointment":
        await mirror.set_said(conn, practice_id, leased.appointment_id, said_of(written.shown))
        await connections.count_change_written(conn, practice_id)
    return written


def _settled(leased: WriteBack, outcome: Outcome | Repaired, now: datetime) -> tuple[State, Settled]:
    """Return the state that an outcome leads to, and what is kept beside it."""
    match outcome:
        case Written():
            return "written", Settled(due_at=now, note=outcome.note)
        case Matched():
            return "written", Settled(due_at=now, reason=f"The practice has this {leased.kind} already.")
        case Superseded():
            return "superseded", Settled(due_at=now, reason=outcome.reason)
        case Stuck():
            return "needs_attention", Settled(due_at=now, reason=outcome.reason, known=outcome.known)
        case Waits():
            due_at = now + FOR_ANOTHER
            return "queued", Settled(
                due_at=due_at, reason=outcome.reason, known=False, waits_for=outcome.for_id, counted=False
            )
        case Repaired():
            return "queued", Settled(due_at=now, reason=outcome.reason, repaired=True)
        case Postponed() if outcome.expected or leased.attempts < MOST_ATTEMPTS:
            return "queued", Settled(
                due_at=outcome.due_at or now + pause(leased.attempts),
                reason=outcome.reason,
                known=outcome.known,
                accepted=outcome.accepted,
                counted=not outcome.expected,
            )
        case Postponed():
            reason = f"Tried {leased.attempts} times. {outcome.reason}"
            return "needs_attention", Settled(due_at=now, reason=reason, known=outcome.known)
    raise TypeError(f"{type(outcome).__name__} is settled by nobody.")


def pause(attempts: int) -> timedelta:
    """Return how long to wait before the next try: doubling from a second, at most five minutes, give or take half."""
    return min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
