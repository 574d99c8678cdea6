"""Webhooks: where the practice's own systems are told what happened, and the log of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from booking.api.given import REPEATABLE, TheKey, ThePool, TheSite, now
from booking.api.problems import declared
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.db.webhooks import Delivery, Event, State, WebhookEndpoint
from booking.once import KeyBusy, KeyMissing, KeyReused
from booking.public_host import LONGEST_URL, AddressNotPublic
from booking.webhooks import (
    Change,
    NewWebhook,
    TooManyWebhooks,
    WebhookDisabled,
    WebhookUnknown,
    add_webhook,
    change_webhook,
    deliveries_of,
    remove_webhook,
    rotate_secret,
    send_again,
    send_test,
    webhooks_of,
)

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
MAY = [Needs("webhooks:write")]
NEWEST = 2**62

Url = Annotated[str, Meta(min_length=8, max_length=LONGEST_URL)]
Events = Annotated[list[Event], Meta(min_length=1, max_length=20)]
Description = Annotated[str, Meta(max_length=200)]


class AskedWebhook(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A webhook to be added: an https address on the public internet, and what it is told of."""

    url: Url
    events: Events
    description: Description = ""


class ChangedWebhook(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to change; what is left out stays as it is."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None


class Webhook(Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint of the practice. `disabledBecause`: why it is not called; `failingSince`: nothing gets through."""

    id: UUID
    url: str
    description: str
    events: list[Event]
    enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    rotated_at: datetime | None
    created_at: datetime


class WebhookWithSecret(Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook and the secret its events are signed with, which is shown here only."""

    webhook: Webhook
    secret: str


class Webhooks(Struct, frozen=True, kw_only=True, rename="camel"):
    """The practice's webhooks, the oldest first."""

    items: list[Webhook]


class TestSent(Struct, frozen=True, kw_only=True, rename="camel"):
    """A test is on its way; the log shows this delivery."""

    delivery_id: UUID


class LoggedDelivery(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event on its way to an endpoint. `status`: what the endpoint answered last; `dueAt`: of the next try."""

    id: UUID
    event_id: str
    type: str
    state: State
    attempts: int
    status: int | None
    reason: str | None
    created_at: datetime
    tried_at: datetime | None
    due_at: datetime | None


class Log(Struct, frozen=True, kw_only=True, rename="camel"):
    """The deliveries of the last thirty days, the newest first. `next`: where the list goes on."""

    items: list[LoggedDelivery]
    next: str | None


@get("/webhooks", guards=MAY, responses=declared(*REFUSED))
async def list_webhooks(who: TheStaff, pool: ThePool) -> Webhooks:
    """List the practice's webhooks, without their secrets."""
    return Webhooks(items=[_shown(one) for one in await webhooks_of(pool, who.practice.practice_id)])


@post(
    "/webhooks",
    guards=MAY,
    dependencies=REPEATABLE,
    responses=declared(*REFUSED, AddressNotPublic, TooManyWebhooks, KeyMissing, KeyReused, KeyBusy),
)
async def create_webhook(
    who: TheStaff, pool: ThePool, site: TheSite, key: TheKey, data: JSONBody[AskedWebhook]
) -> WebhookWithSecret:
    """Add a webhook; keep the secret, to check what arrives with it."""
    endpoint, secret = await add_webhook(
        pool,
        site,
        who.practice.practice_id,
        NewWebhook(url=data.url, events=data.events, description=data.description),
        key=key,
        by=who.actor,
        now=now(),
    )
    return WebhookWithSecret(webhook=_shown(endpoint), secret=secret)


@patch("/webhooks/{webhook_id:uuid}", guards=MAY, responses=declared(*REFUSED, AddressNotPublic, WebhookUnknown))
async def edit_webhook(
    who: TheStaff, pool: ThePool, site: TheSite, webhook_id: FromPath[UUID], data: JSONBody[ChangedWebhook]
) -> Webhook:
    """Change, disable or enable a webhook. One that is disabled misses what happens meanwhile."""
    change = Change(url=data.url, events=data.events, description=data.description, enabled=data.enabled)
    changed = await change_webhook(pool, site, who.practice.practice_id, webhook_id, change, by=who.actor, now=now())
    return _shown(changed)


@delete("/webhooks/{webhook_id:uuid}", guards=MAY, responses=declared(*REFUSED, WebhookUnknown))
async def delete_webhook(who: TheStaff, pool: ThePool, webhook_id: FromPath[UUID]) -> None:
    """Remove a webhook and its log."""
    await remove_webhook(pool, who.practice.practice_id, webhook_id, by=who.actor, now=now())


@post("/webhooks/{webhook_id:uuid}/rotate", guards=MAY, status_code=200, responses=declared(*REFUSED, WebhookUnknown))
async def rotate_webhook(who: TheStaff, pool: ThePool, site: TheSite, webhook_id: FromPath[UUID]) -> WebhookWithSecret:
    """Give a webhook a new secret. For 24 hours the old one signs as well."""
    endpoint, secret = await rotate_secret(pool, site, who.practice.practice_id, webhook_id, by=who.actor, now=now())
    return WebhookWithSecret(webhook=_shown(endpoint), secret=secret)


@post(
    "/webhooks/{webhook_id:uuid}/test",
    guards=MAY,
    status_code=202,
    responses=declared(*REFUSED, WebhookUnknown, WebhookDisabled),
)
async def test_webhook(who: TheStaff, pool: ThePool, webhook_id: FromPath[UUID]) -> TestSent:
    """Send an event `webhook.test` that speaks of nothing."""
    return TestSent(delivery_id=await send_test(pool, who.practice.practice_id, webhook_id, now=now()))


@get("/webhooks/{webhook_id:uuid}/deliveries", guards=MAY, responses=declared(*REFUSED, WebhookUnknown))
async def list_deliveries(
    who: TheStaff,
    pool: ThePool,
    webhook_id: FromPath[UUID],
    after: Annotated[int, QueryParameter(ge=1, le=NEWEST, description="`next` of the page before.")] = NEWEST,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> Log:
    """List what was sent to a webhook, and what became of it."""
    found = await deliveries_of(pool, who.practice.practice_id, webhook_id, before=after, limit=limit)
    following = str(found[-1].position) if len(found) == limit else None
    return Log(items=[_logged(one) for one in found], next=following)


@post(
    "/webhook-deliveries/{delivery_id:uuid}/redeliver",
    guards=MAY,
    status_code=202,
    responses=declared(*REFUSED, WebhookUnknown, WebhookDisabled),
)
async def redeliver(who: TheStaff, pool: ThePool, delivery_id: FromPath[UUID]) -> LoggedDelivery:
    """Send an event to its webhook once more, under the same `webhook-id`."""
    return _logged(await send_again(pool, who.practice.practice_id, delivery_id, now=now()))


def _shown(endpoint: WebhookEndpoint) -> Webhook:
    return Webhook(
        id=endpoint.webhook_endpoint_id,
        url=endpoint.url,
        description=endpoint.description,
        events=endpoint.events,
        enabled=endpoint.enabled,
        disabled_because=endpoint.disabled_because,
        failing_since=endpoint.failing_since,
        rotated_at=endpoint.rotated_at,
        created_at=endpoint.created_at,
    )


def _logged(delivery: Delivery) -> LoggedDelivery:
    return LoggedDelivery(
        id=delivery.webhook_delivery_id,
        event_id=f"evt_{delivery.webhook_event_id.hex}",
        type=delivery.type,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        reason=delivery.reason,
        created_at=delivery.created_at,
        tried_at=delivery.tried_at,
        due_at=delivery.due_at if delivery.state == "queued" else None,
    )


router = Router(
    "/",
    route_handlers=[
        list_webhooks,
        create_webhook,
        edit_webhook,
        delete_webhook,
        rotate_webhook,
        test_webhook,
        list_deliveries,
        redeliver,
    ],
)
