"""Webhook delivery: bring events to a practice's endpoints, each at least once, until a 2xx says that it arrived.

One worker at a time has an endpoint's line, in the order of the events; one that fails steps back and lets the others
pass. A worker that dies between sending and settling leaves the event due: it is sent again under its `webhook-id`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID, uuid4

import httpx
import structlog
from msgspec import Struct

from booking.db import webhooks as webhooks_db
from booking.db.pool import Pool, of_practice
from booking.db.webhooks import Line, State, ToSend
from booking.public_host import AddressNotPublic, Resolve, checked_address, pinned, read_url, resolve
from booking.site import Site
from booking.webhooks import BOTH_SECRETS_SIGN, signature, signing_secret

CALL_LIMIT = timedelta(seconds=10)
LEASE = timedelta(seconds=30)
MOST_AT_A_TIME = 100
"""After so many events in a row an endpoint's line is given back, so that no practice keeps a worker for itself."""

# The waits that the specification suggests, after each failed try: three days in all.
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PAUSES = (
    5 * SECOND, 300 * SECOND, 1800 * SECOND, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
LONGEST_PAUSE = timedelta(hours=24)
SILENT_TOO_LONG = timedelta(days=2)
GONE, TOO_MANY, UNAVAILABLE = 410, 429, 503

log = structlog.get_logger()


class Arrived(Struct, frozen=True, kw_only=True):
    """The endpoint said 2xx."""

    status: int


class Refused(Struct, frozen=True, kw_only=True):
    """The endpoint, or the way to it, failed. `wait`: it asked for that much time."""

    reason: str
    status: int | None = None
    wait: timedelta = timedelta()


class Sender(Struct, frozen=True, kw_only=True):
    """How events leave this process; tests bring a resolver and certificates of their own."""

    site: Site
    resolve: Resolve = resolve
    tls: ssl.SSLContext | None = None


async def deliver_line(pool: Pool, sender: Sender, line: Line, *, clock: Callable[[], datetime]) -> int:
    """Deliver what is due for an endpoint, in order, until nothing is or something fails; how many were tried."""
    lease, tried = uuid4(), 0
    started = clock()
    async with of_practice(pool, line.practice_id) as conn:
        if not await webhooks_db.lease_line(conn, line, lease, now=started, until=started + LEASE):
            return 0
    try:
        while tried < MOST_AT_A_TIME:
            now = clock()
            async with of_practice(pool, line.practice_id) as conn:
                due = await webhooks_db.next_to_send(conn, line, lease, now=now, until=now + LEASE)
            if due is None:
                break
            outcome = await send(sender, due, now)
            await _settle(pool, due, lease, outcome, clock())
            tried += 1
            if isinstance(outcome, Refused):
                break
    finally:
        async with of_practice(pool, line.practice_id) as conn:
            await webhooks_db.release_line(conn, line, lease)
    return tried


async def send(sender: Sender, due: ToSend, now: datetime) -> Arrived | Refused:
    """Post one event and turn whatever goes wrong into an outcome; of the answer only the head is read."""
    private = sender.site.private_webhooks
    try:
        async with asyncio.timeout(CALL_LIMIT.total_seconds()):
            url = read_url(due.url, private=private)
            address = await checked_address(url, private=private, resolve=sender.resolve)
            target, host, extension = pinned(url, address)
            signed = host | headers(sender.site, due, now)
            # A client of its own: no proxy, cookie or open connection of another practice's endpoint has a say here.
            async with (
                httpx.AsyncClient(verify=sender.tls or _tls(), trust_env=False, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    target,
                    content=due.body,
                    headers=signed,
                    extensions=extension,
                ) as answer,
            ):
                return _outcome(answer)
    except AddressNotPublic:
        return Refused(reason="The address does not lead to the public internet only.")
    except TimeoutError:
        return Refused(reason=f"No answer within {CALL_LIMIT.total_seconds():.0f} seconds.")
    except OSError:
        return Refused(reason="The name of the address cannot be found.")
    except httpx.HTTPError as failure:
        return Refused(reason=f"The endpoint could not be reached: {type(failure).__name__}.")


def headers(site: Site, due: ToSend, now: datetime) -> dict[str, str]:
    """Return an event's headers: for a day after a rotation, both secrets sign."""
    webhook_id, timestamp = f"evt_{due.webhook_event_id.hex}", int(now.timestamp())
    generations = [due.generation]
    if due.rotated_at is not None and now < due.rotated_at + BOTH_SECRETS_SIGN:
        generations.append(due.generation - 1)
    secrets = [
        signing_secret(site.secret_key, due.practice_id, due.webhook_endpoint_id, generation)
        for generation in generations
    ]
    return {
        "content-type": "application/json",
        "user-agent": "vetslot-webhooks/1",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, webhook_id, timestamp, due.body) for secret in secrets),
    }


def _outcome(answer: httpx.Response) -> Arrived | Refused:
    status = answer.status_code
    if answer.is_success:
        return Arrived(status=status)
    if answer.is_redirect:
        return Refused(status=status, reason=f"The endpoint answered {status}: redirects are not followed.")
    asked = answer.headers.get("retry-after", "") if status in (TOO_MANY, UNAVAILABLE) else ""
    seconds = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0  # noqa: PLR2004 - eleven days
    return Refused(status=status, reason=f"The endpoint answered {status}.", wait=timedelta(seconds=seconds))


async def _settle(pool: Pool, due: ToSend, lease: UUID, outcome: Arrived | Refused, now: datetime) -> None:
    """Keep what became of a try, and what it says of the endpoint."""
    state: State = "delivered"
    reason: str | None = None
    due_at, failing_since, disabled_because = now, None, None
    if isinstance(outcome, Refused):
        final = due.attempts > len(PAUSES)
        state, reason = "failed" if final else "queued", outcome.reason
        due_at = now if final else now + max(pause(due.attempts), min(outcome.wait, LONGEST_PAUSE))
        failing_since = due.failing_since or now
        if outcome.status == GONE:
            disabled_because = "The endpoint answered 410: it is gone."
        elif final and now - failing_since >= SILENT_TOO_LONG:
            disabled_because = f"Nothing got through since {failing_since:%B %-d}. The last reason: {outcome.reason}"
    async with of_practice(pool, due.practice_id) as conn, conn.transaction():
        mine = await webhooks_db.settle(conn, due, lease, state, status=outcome.status, reason=reason, due_at=due_at)
        if mine and (failing_since, disabled_because) != (due.failing_since, None):
            await webhooks_db.set_health(
                conn,
                due.practice_id,
                due.webhook_endpoint_id,
                failing_since=failing_since,
                disabled_because=disabled_because,
            )
        if mine and disabled_because:
            await webhooks_db.give_up_queued(conn, due.practice_id, due.webhook_endpoint_id, disabled_because)
    log.info(
        "webhook.settled" if mine else "webhook.lease_lost",
        practice=str(due.practice_id),
        webhook=str(due.webhook_endpoint_id),
        state=state,
        status=outcome.status,
        attempts=due.attempts,
        disabled=disabled_because is not None,
    )


def pause(attempts: int) -> timedelta:
    """Return how long to wait after so many tries, give or take a tenth."""
    return PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Return how certificates are checked; reading them all takes a while."""
    return httpx.create_ssl_context(trust_env=False)
