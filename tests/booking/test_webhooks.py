"""Webhooks: events stand with what they speak of, arrive signed and at least once, and lead nowhere private."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from booking import webhook_delivery
from booking.book import Booked
from booking.db.pool import across_practices, of_practice
from booking.db.webhooks import Delivery, Line, ToSend, WebhookEndpoint
from booking.housekeeping import EVENTS_ARE_KEPT, tidy
from booking.public_host import AddressNotPublic
from booking.site import Site
from booking.webhook_delivery import LEASE, PAUSES, Arrived, Refused, Sender, deliver_line, headers
from booking.webhooks import (
    Change,
    NewWebhook,
    TooManyWebhooks,
    WebhookDisabled,
    WebhookUnknown,
    add_webhook,
    announce,
    change_webhook,
    deliveries_of,
    remove_webhook,
    rotate_secret,
    send_again,
    send_test,
    signing_secret,
    webhooks_of,
)
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SECRET_KEY, hold_first, olivias_booking, send
from tests.booking.webhook_receiver import Receiver, running_receiver

SITE = Site(public_url="https://book.example", secret_key=SECRET_KEY, private_webhooks=True)
PUBLIC_SITE = Site(public_url="https://book.example", secret_key=SECRET_KEY)
BY = uuid4()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


async def added(riverside: Riverside, url: str, *events: str) -> tuple[Line, str]:
    """Add an endpoint; its line, and its secret."""
    chosen = msgspec.convert({"url": url, "events": events or ["appointment.booked"]}, NewWebhook)
    practice_id = riverside.practice.practice_id
    endpoint, secret = await add_webhook(riverside.pool, SITE, practice_id, chosen, key=str(uuid4()), by=BY, now=NOW)
    return Line(practice_id=riverside.practice.practice_id, webhook_endpoint_id=endpoint.webhook_endpoint_id), secret


async def booked(riverside: Riverside) -> Booked:
    """Book for Olivia."""
    booked = await send(riverside, await olivias_booking(riverside, await hold_first(riverside, riverside.wish())), "k")
    assert isinstance(booked, Booked)
    return booked


async def queue_tests(riverside: Riverside, line: Line, times: int = 1) -> None:
    for _ in range(times):
        await send_test(riverside.pool, line.practice_id, line.webhook_endpoint_id, now=NOW)


async def delivered(riverside: Riverside, line: Line, *, now: datetime = NOW, sender: Sender | None = None) -> int:
    return await deliver_line(riverside.pool, sender or Sender(site=SITE), line, clock=lambda: now)


async def log_of(riverside: Riverside, line: Line) -> list[Delivery]:
    """Return the endpoint's log, oldest first."""
    found = await deliveries_of(riverside.pool, line.practice_id, line.webhook_endpoint_id, before=2**62, limit=200)
    return found[::-1]


async def endpoint_of(riverside: Riverside, line: Line) -> WebhookEndpoint:
    (found,) = [
        one
        for one in await webhooks_of(riverside.pool, line.practice_id)
        if one.webhook_endpoint_id == line.webhook_endpoint_id
    ]
    return found


def verified(receiver: Receiver, secret: str, *, which: int = 0) -> dict[str, object]:
    """Let the specification's own library check a request, timestamps aside: our clock stands still."""
    got = receiver.received[which]
    moved = dict(got.headers)
    webhook = Webhook(secret)
    at = datetime.fromtimestamp(int(moved["webhook-timestamp"]), tz=NOW.tzinfo)
    ours = moved["webhook-signature"].split(" ")
    if webhook.sign(moved["webhook-id"], at, got.body) not in ours:
        raise WebhookVerificationError("No matching signature found")
    decoded: dict[str, object] = msgspec.json.decode(got.body)
    return decoded


async def test_an_event_arrives_signed_with_the_facts_and_nobodys_name(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, secret = await added(riverside, receiver.url)
    appointment = (await booked(riverside)).appointment
    assert await delivered(riverside, line) == 1
    event = verified(receiver, secret)
    assert event["type"] == "appointment.booked"
    assert event["timestamp"] == NOW.isoformat().replace("+00:00", "Z")
    data = event["data"]
    assert isinstance(data, dict)
    assert data["appointmentId"] == str(appointment.appointment_id)
    assert data["reference"] == appointment.reference
    assert data["status"] == "booked"
    for word in ("Olivia", "Carter", "Biscuit", "+1212", "@"):
        assert word not in receiver.received[0].body


async def test_the_specifications_own_library_accepts_what_is_sent_now() -> None:
    due = a_delivery()
    now = datetime.now(NOW.tzinfo)
    secret = signing_secret(SECRET_KEY, due.practice_id, due.webhook_endpoint_id, 1)
    sent = headers(SITE, due, now)
    assert Webhook(secret).verify(due.body, sent) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(due.body.replace("1", "2"), sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret[::-1]).verify(due.body, sent)


def a_delivery(*, url: str = "https://hooks.example/", generation: int = 1, rotated: datetime | None = None) -> ToSend:
    return ToSend(
        practice_id=uuid4(),
        webhook_delivery_id=uuid4(),
        webhook_event_id=uuid4(),
        webhook_endpoint_id=uuid4(),
        attempts=1,
        body='{"a":1}',
        url=url,
        generation=generation,
        rotated_at=rotated,
        failing_since=None,
    )


async def test_an_event_of_what_was_rolled_back_is_never_told(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    appointment = (await booked(riverside)).appointment
    before = len(await log_of(riverside, line))
    practice_id = riverside.practice.practice_id
    async with of_practice(riverside.pool, practice_id) as conn:
        transaction = conn.transaction()
        await transaction.start()
        await announce(conn, practice_id, "appointment.booked", appointment.appointment_id, NOW)
        await transaction.rollback()
    assert len(await log_of(riverside, line)) == before


async def test_an_event_goes_to_those_who_chose_it_and_are_enabled(riverside: Riverside, receiver: Receiver) -> None:
    chosen, _ = await added(riverside, receiver.url)
    other, _ = await added(riverside, receiver.url, "request.created")
    disabled, _ = await added(riverside, receiver.url)
    await changed(riverside, disabled, receiver.url, enabled=False)
    await booked(riverside)
    assert {one.type for one in await log_of(riverside, chosen)} == {"appointment.booked"}
    assert await log_of(riverside, other) == []
    assert await log_of(riverside, disabled) == []


async def test_where_nobody_listens_nothing_is_kept(riverside: Riverside) -> None:
    await booked(riverside)
    async with across_practices(riverside.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM webhook_event") == 0


async def changed(riverside: Riverside, line: Line, url: str, *, enabled: bool = True) -> WebhookEndpoint:
    change = Change(url=url, enabled=enabled)
    return await change_webhook(
        riverside.pool, SITE, line.practice_id, line.webhook_endpoint_id, change, by=BY, now=NOW
    )


async def test_for_a_day_after_a_rotation_both_secrets_sign_and_then_the_new_one_alone(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, old = await added(riverside, receiver.url)
    _, new = await rotate_secret(riverside.pool, SITE, line.practice_id, line.webhook_endpoint_id, by=BY, now=NOW)
    assert new != old
    await queue_tests(riverside, line, 2)
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE webhook_delivery SET due_at = $1 WHERE position % 2 = 0", NOW + timedelta(hours=25))
    await delivered(riverside, line, now=NOW + timedelta(hours=23))
    assert verified(receiver, old)
    assert verified(receiver, new)
    await delivered(riverside, line, now=NOW + timedelta(hours=25))
    assert verified(receiver, new, which=1)
    with pytest.raises(WebhookVerificationError):
        verified(receiver, old, which=1)


async def test_no_secret_is_stored(riverside: Riverside, receiver: Receiver) -> None:
    line, secret = await added(riverside, receiver.url)
    async with across_practices(riverside.pool) as conn:
        rows = await conn.fetch("SELECT e::text, (SELECT string_agg(a::text, '') FROM audit a) FROM webhook_endpoint e")
    assert rows
    assert secret.removeprefix("whsec_") not in str(rows)
    assert line.webhook_endpoint_id.hex in str(rows).replace("-", "")


async def test_events_arrive_in_order_each_under_an_id_of_its_own(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line, 5)
    await delivered(riverside, line)
    queued = [f"evt_{one.webhook_event_id.hex}" for one in await log_of(riverside, line)]
    assert [one.headers["webhook-id"] for one in receiver.received] == queued
    assert {one.state for one in await log_of(riverside, line)} == {"delivered"}


async def test_an_event_that_fails_is_tried_for_three_days_under_one_id_and_lets_the_others_pass(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line, 2)
    receiver.answers = ["500 Broken"]
    assert await delivered(riverside, line) == 1
    failing, waiting = await log_of(riverside, line)
    assert (failing.state, failing.status, failing.reason) == ("queued", 500, "The endpoint answered 500.")
    assert timedelta(seconds=4) < failing.due_at - NOW < timedelta(seconds=6)
    assert waiting.attempts == 0
    assert await delivered(riverside, line) == 1
    now, tries = NOW, 1
    receiver.answers = ["503 Later"] * 20
    while (failing := (await log_of(riverside, line))[0]).state == "queued":
        now = failing.due_at
        tries += await delivered(riverside, line, now=now)
    assert (failing.state, tries) == ("failed", len(PAUSES) + 1)
    assert timedelta(days=2.5) < now - NOW < timedelta(days=4)
    ids = [one.headers["webhook-id"] for one in receiver.received]
    assert len(set(ids)) == 2
    assert len({one.headers["webhook-timestamp"] for one in receiver.received}) == tries


async def test_an_endpoint_that_nothing_reaches_for_days_is_disabled_with_a_reason(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    receiver.answers = ["500 Broken"] * 20
    while (failing := (await log_of(riverside, line))[0]).state == "queued":
        await delivered(riverside, line, now=failing.due_at)
    endpoint = await endpoint_of(riverside, line)
    assert not endpoint.enabled
    assert "The endpoint answered 500." in (endpoint.disabled_because or "")
    with pytest.raises(WebhookDisabled):
        await send_test(riverside.pool, line.practice_id, line.webhook_endpoint_id, now=NOW)
    enabled = await changed(riverside, line, receiver.url)
    assert (enabled.enabled, enabled.disabled_because, enabled.failing_since) == (True, None, None)


async def test_one_event_that_gets_through_shows_that_the_endpoint_lives(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line, 2)
    receiver.answers = ["500 Broken"]
    await delivered(riverside, line)
    assert (await endpoint_of(riverside, line)).failing_since == NOW
    await delivered(riverside, line)
    assert (await endpoint_of(riverside, line)).failing_since is None


async def test_an_endpoint_that_says_it_is_gone_is_disabled_at_once(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line, 2)
    receiver.answers = ["410 Gone"]
    await delivered(riverside, line)
    assert not (await endpoint_of(riverside, line)).enabled
    assert {one.state for one in await log_of(riverside, line)} == {"failed"}
    assert await delivered(riverside, line, now=NOW + timedelta(days=1)) == 0


async def test_an_endpoint_that_asks_for_time_is_given_it(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    receiver.answers = ["429 Slow Down\r\nRetry-After: 3600"]
    await delivered(riverside, line)
    assert (await log_of(riverside, line))[0].due_at == NOW + timedelta(hours=1)


async def test_a_redirect_is_a_failure_and_is_not_followed(riverside: Riverside, receiver: Receiver) -> None:
    async with running_receiver() as inside:
        line, _ = await added(riverside, receiver.url)
        await queue_tests(riverside, line)
        receiver.answers = [f"302 Found\r\nLocation: {inside.url}"]
        await delivered(riverside, line)
        assert inside.received == []
    assert "redirects are not followed" in ((await log_of(riverside, line))[0].reason or "")


async def test_a_huge_answer_is_not_read(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    receiver.floods = True
    async with asyncio.timeout(5):
        await delivered(riverside, line)
    assert (await log_of(riverside, line))[0].state == "delivered"


async def test_an_endpoint_that_says_nothing_is_given_up_in_time(
    riverside: Riverside, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "CALL_LIMIT", timedelta(seconds=1))
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    receiver.silent = True
    async with asyncio.timeout(5):
        await delivered(riverside, line)
    assert (await log_of(riverside, line))[0].reason == "No answer within 1 seconds."


async def test_an_event_sent_by_a_worker_that_dies_before_it_can_say_so_is_sent_again_under_its_id(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    receiver.silent = True
    dying = asyncio.create_task(delivered(riverside, line))
    await receiver.hears.wait()
    async with across_practices(riverside.pool) as conn:
        lease = await conn.fetchval("SELECT lease FROM webhook_endpoint")
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    async with across_practices(riverside.pool) as conn:  # a killed process gives no lease back
        await conn.execute("UPDATE webhook_endpoint SET lease = $1, leased_until = $2", lease, NOW + LEASE)
    receiver.silent = False
    assert await delivered(riverside, line, now=NOW + LEASE - timedelta(seconds=1)) == 0
    assert await delivered(riverside, line, now=NOW + LEASE) == 1
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert [(one.state, one.attempts) for one in await log_of(riverside, line)] == [("delivered", 2)]


async def test_a_worker_that_lost_its_lease_has_no_word_in_what_became_of_it(
    riverside: Riverside, receiver: Receiver
) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    receiver.silent, receiver.answers = True, ["500 Broken", "204 No Content"]
    slow = asyncio.create_task(delivered(riverside, line))
    await receiver.hears.wait()
    receiver.hears.clear()
    fast = asyncio.create_task(delivered(riverside, line, now=NOW + LEASE))
    await receiver.hears.wait()
    receiver.may_answer.set()
    await asyncio.gather(slow, fast)
    (settled,) = await log_of(riverside, line)
    assert (settled.state, settled.attempts) == ("delivered", 2)
    assert (await endpoint_of(riverside, line)).failing_since is None
    async with across_practices(riverside.pool) as conn:
        assert await conn.fetchval("SELECT lease FROM webhook_endpoint") is None


async def test_many_workers_send_each_event_once(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line, 10)
    await asyncio.gather(*(delivered(riverside, line) for _ in range(8)))
    ids = [one.headers["webhook-id"] for one in receiver.received]
    assert len(ids) == len(set(ids)) == 10


async def test_staff_send_an_event_again_under_its_id(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    await delivered(riverside, line)
    (done,) = await log_of(riverside, line)
    again = await send_again(riverside.pool, line.practice_id, done.webhook_delivery_id, now=NOW)
    assert (again.state, again.attempts) == ("queued", 0)
    await delivered(riverside, line)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    with pytest.raises(WebhookUnknown):
        await send_again(riverside.pool, line.practice_id, uuid4(), now=NOW)


async def test_a_practice_has_five_endpoints_at_most_also_when_ten_are_added_at_once(riverside: Riverside) -> None:
    adding = [added(riverside, f"http://127.0.0.1:9/{n}") for n in range(10)]
    results = await asyncio.gather(*adding, return_exceptions=True)
    assert len([one for one in results if isinstance(one, TooManyWebhooks)]) == 5
    (first, *rest) = await webhooks_of(riverside.pool, riverside.practice.practice_id)
    assert len(rest) == 4
    practice_id = riverside.practice.practice_id
    await remove_webhook(riverside.pool, practice_id, first.webhook_endpoint_id, by=BY, now=NOW)
    await added(riverside, "http://127.0.0.1:9/again")
    with pytest.raises(WebhookUnknown):
        await remove_webhook(riverside.pool, practice_id, first.webhook_endpoint_id, by=BY, now=NOW)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://example.com/", "https://[::ffff:10.0.0.1]/"])
async def test_a_private_endpoint_is_refused_when_it_is_added(riverside: Riverside, url: str) -> None:
    chosen = NewWebhook(url=url, events=["appointment.booked"])
    with pytest.raises(AddressNotPublic):
        await add_webhook(riverside.pool, PUBLIC_SITE, riverside.practice.practice_id, chosen, key="k", by=BY, now=NOW)


async def test_a_name_that_leads_inside_after_it_was_accepted_is_not_called(
    riverside: Riverside, receiver: Receiver
) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    chosen = NewWebhook(url=f"https://hooks.example:{receiver.port}/", events=["appointment.booked"])
    endpoint, _ = await add_webhook(
        riverside.pool,
        PUBLIC_SITE,
        riverside.practice.practice_id,
        chosen,
        key="k",
        by=BY,
        now=NOW,
        resolve=rebinding,
    )
    line = Line(practice_id=riverside.practice.practice_id, webhook_endpoint_id=endpoint.webhook_endpoint_id)
    await queue_tests(riverside, line)
    await delivered(riverside, line, sender=Sender(site=PUBLIC_SITE, resolve=rebinding))
    assert (answers, receiver.received) == ([], [])
    assert (await log_of(riverside, line))[0].reason == "The address does not lead to the public internet only."


async def test_a_name_is_resolved_once_a_call_and_its_certificate_is_checked() -> None:
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("hooks.example").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with running_receiver(serving) as receiver:

        async def outcome(host: str, tls: ssl.SSLContext | None) -> Arrived | Refused:
            due = a_delivery(url=f"https://{host}:{receiver.port}/in")
            return await webhook_delivery.send(Sender(site=SITE, resolve=resolve, tls=tls), due, NOW)

        assert await outcome("hooks.example", trusting) == Arrived(status=204)
        assert asked == ["hooks.example"]
        assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"
        assert isinstance(await outcome("other.example", trusting), Refused)
        assert isinstance(await outcome("hooks.example", None), Refused)
        assert len(receiver.received) == 1


async def test_the_log_is_kept_for_thirty_days(riverside: Riverside, receiver: Receiver) -> None:
    line, _ = await added(riverside, receiver.url)
    await queue_tests(riverside, line)
    await tidy(riverside.pool, NOW + EVENTS_ARE_KEPT)
    assert len(await log_of(riverside, line)) == 1
    await tidy(riverside.pool, NOW + EVENTS_ARE_KEPT + timedelta(seconds=1))
    assert await log_of(riverside, line) == []
