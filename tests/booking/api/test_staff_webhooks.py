"""Webhooks at the API: added, watched and mended by whoever manages a practice's set-up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from booking.db.pool import Pool
from tests.booking.webhook_receiver import running_receiver
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as

WEBHOOKS = "/api/v1/staff/webhooks"
ASKED = {"url": "http://127.0.0.1:9/in", "events": ["appointment.booked", "appointment.cancelled"]}


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def manager(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("manager", browser, oak_lane)
        browser.headers.update(FROM_HERE)
        yield browser


async def add(manager: httpx.AsyncClient, *, key: str | None = None, **more: Any) -> httpx.Response:  # noqa: ANN401
    return await manager.post(WEBHOOKS, json={**ASKED, **more}, headers={"Idempotency-Key": key or str(uuid4())})


async def test_a_webhook_shows_its_secret_when_it_is_added_and_when_it_is_rotated(manager: httpx.AsyncClient) -> None:
    made = (await add(manager)).json()
    assert made["secret"].startswith("whsec_")
    listed = await manager.get(WEBHOOKS)
    assert listed.json()["items"] == [made["webhook"]]
    assert "whsec_" not in listed.text
    rotated = (await manager.post(f"{WEBHOOKS}/{made['webhook']['id']}/rotate")).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["rotatedAt"]


async def test_the_same_request_adds_one_webhook(manager: httpx.AsyncClient) -> None:
    first, again = await add(manager, key="k"), await add(manager, key="k")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert (await add(manager, key="k", description="other")).json()["code"] == "idempotency-key-reused"
    assert (await manager.post(WEBHOOKS, json=ASKED)).json()["code"] == "idempotency-key-missing"


async def test_a_sixth_webhook_is_refused(manager: httpx.AsyncClient) -> None:
    assert [(await add(manager)).status_code for _ in range(6)] == [201] * 5 + [409]


@pytest.mark.parametrize(
    "wrong",
    [{"url": "x"}, {"events": []}, {"events": ["everything"]}, {"description": "x" * 201}, {"more": 1}, {"url": None}],
)
async def test_a_webhook_that_makes_no_sense_is_refused(manager: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await add(manager, **wrong)).status_code == 400


async def test_an_address_that_may_not_be_called_is_refused(manager: httpx.AsyncClient) -> None:
    for url in ("ftp://hooks.example", "https://user:word@hooks.example/", "https://nowhere.invalid/"):
        refused = await add(manager, url=url)
        assert (refused.status_code, refused.json()["code"]) == (422, "address-not-public")


async def test_what_is_left_out_of_a_change_stays(manager: httpx.AsyncClient) -> None:
    made = (await add(manager, description="Billing")).json()["webhook"]
    where = f"{WEBHOOKS}/{made['id']}"
    changed = (await manager.patch(where, json={"enabled": False})).json()
    assert changed == {**made, "enabled": False, "disabledBecause": "Disabled by staff."}
    assert (await manager.post(f"{where}/test")).json()["code"] == "webhook-disabled"
    assert (await manager.patch(where, json={"enabled": True})).json() == made


async def test_the_log_is_paged_newest_first_and_a_line_of_it_can_be_sent_again(manager: httpx.AsyncClient) -> None:
    made = (await add(manager)).json()["webhook"]
    where = f"{WEBHOOKS}/{made['id']}"
    sent = [(await manager.post(f"{where}/test")).json()["deliveryId"] for _ in range(3)]
    first = (await manager.get(f"{where}/deliveries", params={"limit": 2})).json()
    rest = (await manager.get(f"{where}/deliveries", params={"limit": 2, "after": first["next"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == sent[::-1]
    assert rest["next"] is None
    assert {one["type"] for one in first["items"]} == {"webhook.test"}
    again = await manager.post(f"/api/v1/staff/webhook-deliveries/{sent[0]}/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "queued")


async def test_what_is_not_there_is_not_found(manager: httpx.AsyncClient) -> None:
    for method, path, body in (
        ("PATCH", f"{WEBHOOKS}/{uuid4()}", {}),
        ("DELETE", f"{WEBHOOKS}/{uuid4()}", None),
        ("POST", f"{WEBHOOKS}/{uuid4()}/rotate", None),
        ("POST", f"{WEBHOOKS}/{uuid4()}/test", None),
        ("GET", f"{WEBHOOKS}/{uuid4()}/deliveries", None),
        ("POST", f"/api/v1/staff/webhook-deliveries/{uuid4()}/redeliver", None),
    ):
        assert (await manager.request(method, path, json=body)).status_code == 404, path


async def test_a_webhook_that_is_removed_is_gone(manager: httpx.AsyncClient) -> None:
    made = (await add(manager)).json()["webhook"]
    assert (await manager.delete(f"{WEBHOOKS}/{made['id']}")).status_code == 204
    assert (await manager.get(WEBHOOKS)).json()["items"] == []


async def test_the_front_desk_may_not_see_webhooks(oak_lane: OakLane, database_url: str, redis_url: str) -> None:
    async with browser_of(settings_of(database_url, redis_url)) as browser, running_receiver() as receiver:
        await sign_in_as("front_desk", browser, oak_lane)
        assert (await browser.get(WEBHOOKS)).status_code == 403
        assert (await add(browser, url=receiver.url)).status_code == 403
        assert receiver.received == []
