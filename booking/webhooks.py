"""Webhooks: what a practice's own systems are told of, by the Standard Webhooks specification, and where.

An event is written in the transaction of what it speaks of; `webhook_delivery` brings it to the practice's endpoints.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from booking.db import webhooks as webhooks_db
from booking.db.pool import Connection, Pool, of_practice
from booking.db.staff import record_change
from booking.db.webhooks import Delivery, Event, WebhookEndpoint
from booking.db.write_backs import wake_workers
from booking.once import KeyReused, keep, once
from booking.public_host import AddressNotPublic, Resolve, checked_address, read_url, resolve
from booking.site import Site

MOST_ENDPOINTS = 5
BOTH_SECRETS_SIGN = timedelta(hours=24)
DISABLED_BY_STAFF = "Disabled by staff."


class WebhookUnknown(Exception):
    """There is no such webhook, or no such delivery. Please list them to see which there are."""


class TooManyWebhooks(Exception):
    """A practice can have five webhooks. Please change or remove one of them."""


class WebhookDisabled(Exception):
    """This webhook is disabled, so nothing is sent to it. Please enable it first."""


async def announce(conn: Connection, practice_id: UUID, event: Event, subject_id: UUID, now: datetime) -> None:
    """Tell the practice's endpoints of an event once this transaction commits, with the facts as they stand here.

    Call it after the subject's rows are written. The subject of `appointment.*` is the appointment, of `write_back.*`
    the write-back, of `request.*` the appointment request.
    """
    if not await webhooks_db.anybody_listens(conn, practice_id, event):
        return
    facts = await webhooks_db.facts_of(conn, practice_id, event, subject_id)
    if facts is None:
        return
    event_id = uuid4()
    await webhooks_db.insert_event(conn, practice_id, event_id, event, _body(event, now, facts), now)
    await webhooks_db.queue_deliveries(conn, practice_id, event_id, event, now)
    await wake_workers(conn, "webhook")


def _body(type_: str, now: datetime, data: object) -> str:
    return msgspec.json.encode({"type": type_, "timestamp": now, "data": data}).decode()


def signing_secret(secret_key: bytes, practice_id: UUID, endpoint_id: UUID, generation: int) -> bytes:
    """Return an endpoint's secret of a generation: it can be made again, so it is not stored."""
    named = b"webhook/" + practice_id.bytes + endpoint_id.bytes + generation.to_bytes(8, "big")
    return hmac.digest(secret_key, named, "sha256")


def shown_secret(secret: bytes) -> str:
    """Return a secret as receivers keep it."""
    return f"whsec_{b64encode(secret).decode()}"


def signature(secret: bytes, webhook_id: str, timestamp: int, body: str) -> str:
    """Return one signature, as it stands in `webhook-signature`."""
    signed = hmac.digest(secret, f"{webhook_id}.{timestamp}.{body}".encode(), "sha256")
    return f"v1,{b64encode(signed).decode()}"


class NewWebhook(Struct, frozen=True, kw_only=True):
    """An endpoint that is to be added, and the events that it is told of."""

    url: str
    events: list[Event]
    description: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """What is to change of an endpoint; None stays as it is."""

    url: str | None = None
    events: list[Event] | None = None
    description: str | None = None
    enabled: bool | None = None


async def _read(site: Site, url: str, resolve: Resolve) -> str:
    """Return a URL that may be called, as it is called. Raises `AddressNotPublic`.

    What leads nowhere today is refused as well: a mistyped name would only show in the log of its deliveries.
    """
    read = read_url(url, private=site.private_webhooks)
    try:
        await checked_address(read, private=site.private_webhooks, resolve=resolve)
    except OSError:
        raise AddressNotPublic(AddressNotPublic.__doc__) from None
    return str(read)


async def add_webhook(
    pool: Pool,
    site: Site,
    practice_id: UUID,
    new: NewWebhook,
    *,
    key: str,
    by: UUID,
    now: datetime,
    resolve: Resolve = resolve,
) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint, once per key; with it its secret. Raises `AddressNotPublic`, `TooManyWebhooks`, `KeyReused`."""
    endpoint = WebhookEndpoint(
        webhook_endpoint_id=uuid4(),
        url=await _read(site, new.url, resolve),
        description=new.description,
        events=sorted(set(new.events)),
        enabled=True,
        disabled_because=None,
        generation=1,
        rotated_at=None,
        failing_since=None,
        created_at=now,
    )
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        kept = await once(conn, practice_id, key, new, now)
        if kept is not None:
            known = await webhooks_db.lock_endpoint(conn, practice_id, UUID(kept))
            if known is None:
                raise KeyReused(KeyReused.__doc__)
            return known, _secret_of(site, practice_id, known)
        await webhooks_db.lock_endpoints(conn, practice_id)
        if len(await webhooks_db.endpoints(conn, practice_id)) >= MOST_ENDPOINTS:
            raise TooManyWebhooks(TooManyWebhooks.__doc__)
        await webhooks_db.insert_endpoint(conn, practice_id, endpoint)
        await _record(conn, practice_id, endpoint.webhook_endpoint_id, None, endpoint, by=by, now=now)
        await keep(conn, practice_id, key, str(endpoint.webhook_endpoint_id))
    return endpoint, _secret_of(site, practice_id, endpoint)


async def webhooks_of(pool: Pool, practice_id: UUID) -> list[WebhookEndpoint]:
    """Return the practice's endpoints."""
    async with of_practice(pool, practice_id) as conn:
        return await webhooks_db.endpoints(conn, practice_id)


async def change_webhook(
    pool: Pool,
    site: Site,
    practice_id: UUID,
    endpoint_id: UUID,
    change: Change,
    *,
    by: UUID,
    now: datetime,
    resolve: Resolve = resolve,
) -> WebhookEndpoint:
    """Change an endpoint. One that is disabled forgets what waited for it; one that is enabled starts afresh.

    Raises `AddressNotPublic`, `WebhookUnknown`.
    """
    url = None if change.url is None else await _read(site, change.url, resolve)
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        before = await _locked(conn, practice_id, endpoint_id)
        enabled = before.enabled if change.enabled is None else change.enabled
        after = msgspec.structs.replace(
            before,
            url=url or before.url,
            description=before.description if change.description is None else change.description,
            events=before.events if change.events is None else sorted(set(change.events)),
            enabled=enabled,
            disabled_because=None if enabled else before.disabled_because or DISABLED_BY_STAFF,
            failing_since=before.failing_since if before.enabled else None,
        )
        await webhooks_db.set_endpoint(conn, practice_id, after)
        if not after.enabled:
            await webhooks_db.give_up_queued(conn, practice_id, endpoint_id, "The webhook was disabled.")
        await _record(conn, practice_id, endpoint_id, before, after, by=by, now=now)
    return after


async def remove_webhook(pool: Pool, practice_id: UUID, endpoint_id: UUID, *, by: UUID, now: datetime) -> None:
    """Remove an endpoint together with its log. Raises `WebhookUnknown`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        before = await _locked(conn, practice_id, endpoint_id)
        await webhooks_db.delete_endpoint(conn, practice_id, endpoint_id)
        await _record(conn, practice_id, endpoint_id, before, None, by=by, now=now)


async def rotate_secret(
    pool: Pool, site: Site, practice_id: UUID, endpoint_id: UUID, *, by: UUID, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret, shown this once; the one before signs along for a day. Raises `WebhookUnknown`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        before = await _locked(conn, practice_id, endpoint_id)
        after = msgspec.structs.replace(before, generation=before.generation + 1, rotated_at=now)
        await webhooks_db.set_endpoint(conn, practice_id, after)
        await _record(conn, practice_id, endpoint_id, before, after, by=by, now=now)
    return after, _secret_of(site, practice_id, after)


async def send_test(pool: Pool, practice_id: UUID, endpoint_id: UUID, *, now: datetime) -> UUID:
    """Queue an event that speaks of nothing, to see whether it arrives; its delivery's id.

    Raises `WebhookUnknown`, `WebhookDisabled`.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        endpoint = await _locked(conn, practice_id, endpoint_id)
        if not endpoint.enabled:
            raise WebhookDisabled(WebhookDisabled.__doc__)
        event_id, delivery_id = uuid4(), uuid4()
        body = _body("webhook.test", now, {"webhookId": endpoint_id})
        await webhooks_db.insert_event(conn, practice_id, event_id, "webhook.test", body, now)
        await webhooks_db.queue_delivery(conn, practice_id, delivery_id, event_id, endpoint_id, now)
        await wake_workers(conn, "webhook")
    return delivery_id


async def deliveries_of(pool: Pool, practice_id: UUID, endpoint_id: UUID, *, before: int, limit: int) -> list[Delivery]:
    """Return an endpoint's log of the last thirty days, newest first. Raises `WebhookUnknown`."""
    async with of_practice(pool, practice_id) as conn:
        if endpoint_id not in {one.webhook_endpoint_id for one in await webhooks_db.endpoints(conn, practice_id)}:
            raise WebhookUnknown(WebhookUnknown.__doc__)
        return await webhooks_db.deliveries(conn, practice_id, endpoint_id, before=before, limit=limit)


async def send_again(pool: Pool, practice_id: UUID, delivery_id: UUID, *, now: datetime) -> Delivery:
    """Send an event to its endpoint once more, under its `webhook-id`. Raises `WebhookUnknown`, `WebhookDisabled`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        endpoint_id = await webhooks_db.endpoint_of_delivery(conn, practice_id, delivery_id)
        if endpoint_id is None:
            raise WebhookUnknown(WebhookUnknown.__doc__)
        delivery = await webhooks_db.redeliver(conn, practice_id, delivery_id, now)
        if delivery is None:
            raise WebhookDisabled(WebhookDisabled.__doc__)
        await wake_workers(conn, "webhook")
    return delivery


def _secret_of(site: Site, practice_id: UUID, endpoint: WebhookEndpoint) -> str:
    return shown_secret(signing_secret(site.secret_key, practice_id, endpoint.webhook_endpoint_id, endpoint.generation))


async def _locked(conn: Connection, practice_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = await webhooks_db.lock_endpoint(conn, practice_id, endpoint_id)
    if endpoint is None:
        raise WebhookUnknown(WebhookUnknown.__doc__)
    return endpoint


async def _record(
    conn: Connection,
    practice_id: UUID,
    endpoint_id: UUID,
    before: WebhookEndpoint | None,
    after: WebhookEndpoint | None,
    *,
    by: UUID,
    now: datetime,
) -> None:
    await record_change(
        conn, practice_id, actor_id=by, what="webhook", subject_id=endpoint_id, before=before, after=after, now=now
    )
