"""Worker: what happens without anybody waiting for it. Any number of them share the work through the database.

Write-backs, messages, webhooks and sync are woken by `NOTIFY` and look by themselves besides; waitlists and
housekeeping go at their own pace.
A loop that fails says so and goes on; what it was doing is taken up again when its lease runs out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg
import structlog
from redis.asyncio import Redis

from booking.adapters import Adapters
from booking.connect.trial import do_survey
from booking.db import connection_steps, connections, messages, practices, waitlist, webhooks
from booking.db.connections import Connection
from booking.db.messages import Message
from booking.db.pool import Pool, across_practices, connect
from booking.deadlines import escalate_due
from booking.housekeeping import tidy
from booking.messages import Channel, MailboxChannel, NoChannel, SmtpChannel, Undeliverable, Undelivered
from booking.site import Site
from booking.sync.rounds import Keeping
from booking.waitlist import CLOSES, LOOK_AGAIN, OPENS, PAUSE, look_through
from booking.webhook_delivery import Sender, deliver_line
from booking.write_back_rounds import Desks
from pims_adapters.contract import PimsError

POLL = timedelta(seconds=2)
TIDY = timedelta(hours=1)
LATE = timedelta(seconds=15)
WAITLIST = timedelta(seconds=10)
AFTER_FAILURE = timedelta(seconds=3)
AT_ONCE = 20
CONNECTIONS = 20
FEW = 2
SURVEY_LEASE = timedelta(minutes=10)
MESSAGE_LEASE = timedelta(seconds=30)
MESSAGE_PAUSE = timedelta(seconds=30)
MESSAGE_TRIES = 10

log = structlog.get_logger()


async def work(
    *,
    database_url: str,
    redis_url: str,
    site: Site,
    smtp_url: str | None,
    mail_from: str,
    dev_mailbox: bool,
    sync_every: timedelta,
) -> None:
    """Work until cancelled."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await connect(database_url, max_size=CONNECTIONS))
        redis = await stack.enter_async_context(Redis.from_url(redis_url))
        adapters = Adapters(pool, secret_key=site.secret_key, clock=now)
        stack.push_async_callback(adapters.close)
        wakes = {what: asyncio.Event() for what in ("write_back", "message", "webhook", "sync", "survey")}
        keeping = Keeping(pool, adapters.of, site=site, clock=now, most=sync_every)
        sender = Sender(site=site)
        desks = Desks(
            pool, adapters, site, clock=now, on_failure=lambda connection, why: note_failure(pool, connection, why)
        )
        stack.push_async_callback(desks.close)
        channel = open_channel(redis, smtp_url=smtp_url, mail_from=mail_from, dev_mailbox=dev_mailbox)
        async with asyncio.TaskGroup() as loops:
            loops.create_task(listen(database_url, wakes))
            loops.create_task(keep_doing(desks.round, POLL, wakes["write_back"]))
            loops.create_task(keep_doing(lambda: tell_of_late(pool), LATE, asyncio.Event()))
            loops.create_task(keep_doing(lambda: message_round(pool, channel), POLL, wakes["message"]))
            loops.create_task(keep_doing(lambda: webhook_round(pool, sender), POLL, wakes["webhook"]))
            loops.create_task(keep_doing(lambda: waitlist_round(pool, site), WAITLIST, asyncio.Event()))
            loops.create_task(keep_doing(lambda: keeping.keep(wakes["sync"]), AFTER_FAILURE, asyncio.Event()))
            loops.create_task(keep_doing(lambda: survey_round(pool, adapters), POLL, wakes["survey"]))
            loops.create_task(keep_doing(lambda: tidy(pool, now()), TIDY, asyncio.Event()))


def open_channel(redis: Redis, *, smtp_url: str | None, mail_from: str, dev_mailbox: bool) -> Channel:
    """Choose how messages leave: the demo's mailbox, a mail server, or not at all, with a clear reason."""
    if dev_mailbox:
        return MailboxChannel(redis)
    return SmtpChannel(smtp_url, mail_from) if smtp_url else NoChannel()


def now() -> datetime:
    """Read the clock; everything below is given the instant or this function."""
    return datetime.now(UTC)


async def tell_of_late(pool: Pool) -> None:
    """Tell staff of what is not in the PIMS while its visit is near."""
    late = await escalate_due(pool, now())
    if late:
        log.warning("write_back.late", lines=late)


async def survey_round(pool: Pool, adapters: Adapters) -> None:
    """Do the surveys that were asked for, one after the other: nobody books by them."""
    while True:
        at = now()
        async with across_practices(pool) as conn:
            practice_id = await connection_steps.take_survey(conn, at, at + SURVEY_LEASE)
            if practice_id is None:
                return
            practice = await practices.practice_by_id(conn, practice_id)
            connection = await connections.connection_of(conn, practice_id)
        if practice is not None and connection is not None:
            await do_survey(pool, practice, partial(adapters.of, connection), now=at)


async def note_failure(pool: Pool, connection: Connection, failure: PimsError) -> None:
    """Note on the connection, where staff see it, why its PIMS could not be reached."""
    log.warning("connection.failed", connection=str(connection.connection_id), reason=type(failure).__name__)
    async with across_practices(pool) as conn:
        await connections.record_failure(conn, connection.practice_id, connection.connection_id, str(failure), now())


async def message_round(pool: Pool, channel: Channel) -> None:
    """Send every message that is due."""
    while True:
        at = now()
        async with across_practices(pool) as conn:
            message = await messages.lease_message(conn, now=at, until=at + MESSAGE_LEASE)
        if message is None:
            return
        await send(pool, channel, message)


async def send(pool: Pool, channel: Channel, message: Message) -> None:
    """Send one message, or keep the reason why it could not be sent."""
    try:
        await channel.send(message)
    except (Undelivered, Undeliverable) as failure:
        final = isinstance(failure, Undeliverable) or message.attempts >= MESSAGE_TRIES
        async with across_practices(pool) as conn:
            await messages.message_failed(
                conn,
                message,
                state="failed" if final else "queued",
                reason=str(failure),
                due_at=now() + MESSAGE_PAUSE * message.attempts,
            )
        log.warning("message.not_sent", purpose=message.purpose, channel=message.channel, final=final)
        return
    async with across_practices(pool) as conn:
        await messages.message_sent(conn, message, now())


async def webhook_round(pool: Pool, sender: Sender) -> None:
    """Deliver the events that are due, endpoint by endpoint, some of them at once."""
    async with across_practices(pool) as conn:
        due = await webhooks.lines_due(conn, now())
    room = asyncio.Semaphore(AT_ONCE)

    async def deliver(line: webhooks.Line) -> None:
        async with room:
            await deliver_line(pool, sender, line, clock=now)

    await all_of([deliver(line) for line in due])


async def waitlist_round(pool: Pool, site: Site) -> None:
    """Offer what came free to those who wait, practice by practice."""
    at = now()
    async with across_practices(pool) as conn:
        due = await waitlist.practices_due(
            conn, at, quiet_since=at - LOOK_AGAIN, changed_since=at - PAUSE, opens=OPENS, closes=CLOSES
        )
    room = asyncio.Semaphore(FEW)

    async def look(practice_id: UUID) -> None:
        async with room:
            await look_through(pool, site, practice_id, now=now())

    await all_of([look(practice_id) for practice_id in due])


async def keep_doing(step: Callable[[], Awaitable[None]], every: timedelta, wake: asyncio.Event) -> None:
    """Do a step again and again: when woken, and at the latest after `every`. A failure is told and tried again."""
    while True:
        pause = every
        wake.clear()
        try:
            await step()
        except Exception:
            # Whatever it was (PostgreSQL restarting, a bug): the other loops and the next round must go on.
            log.exception("worker.round_failed")
            pause = max(AFTER_FAILURE, every)
        try:
            async with asyncio.timeout(pause.total_seconds()):
                await wake.wait()
        except TimeoutError:
            continue


async def listen(database_url: str, wakes: dict[str, asyncio.Event]) -> None:
    """Set a loop's event when a transaction notifies it; polling covers the moments without a connection."""

    def hear(_conn: object, _pid: int, _channel: str, payload: object) -> None:
        for event in wakes.values() if payload not in wakes else [wakes[str(payload)]]:
            event.set()

    while True:
        lost = asyncio.Event()
        try:
            conn = await asyncpg.connect(database_url, timeout=10)
            conn.add_termination_listener(lambda _conn, lost=lost: lost.set())
            await conn.add_listener("vetslot_work", hear)
            for event in wakes.values():
                event.set()  # something may have been queued while nobody listened
            try:
                await lost.wait()
            finally:
                await conn.close(timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            log.warning("worker.not_listening", reason=type(failure).__name__)
        await asyncio.sleep(AFTER_FAILURE.total_seconds())


async def all_of(parts: list[Awaitable[None]]) -> None:
    """Run parts side by side; one that fails lets the others finish before it is told."""
    failures = [one for one in await asyncio.gather(*parts, return_exceptions=True) if isinstance(one, Exception)]
    if failures:
        raise ExceptionGroup("Some parts of this round failed.", failures)
