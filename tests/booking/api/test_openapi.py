"""The OpenAPI document is the API: whatever schemathesis makes of it, no 5xx and no answer that it does not declare."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from redis.asyncio import Redis

from booking.client_session import start_session
from booking.contacts import read_contact
from booking.db.pool import Pool
from booking.scopes import Scope
from tests.booking.api.serving import served
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as

# Few questions each, but every operation is asked, however long that takes.
THOROUGH = bool(os.environ.get("VETSLOT_PROVE"))
PHASES, EXAMPLES = ("examples,coverage,fuzzing", 100) if THOROUGH else ("fuzzing", 2)
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
SCOPES = list(get_args(Scope))
# The stream of live changes has its own tests: it ends after ten minutes only.
OF_EVERYBODY = ("--exclude-path-regex", "/slots/live|/staff/")
OF_STAFF = ("--include-path-regex", "/staff/|/explain")
REACHED = re.compile(r"Selected: (\d+)/\d+\s+Tested: (\d+)")


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def address(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[str]:
    """Return the address of a server of its own, with a practice."""
    async with served(database_url, redis_url) as address:
        yield address


async def fuzz(address: str, oak_lane: OakLane, redis: Redis, folder: Path, *more: str) -> None:
    """Let schemathesis loose on a practice that is there; its report is the failure's message."""
    booked = await oak_lane.book()
    config = folder / "schemathesis.toml"
    config.write_text(
        f'[parameters]\n"path.slug" = "{oak_lane.practice.slug}"\n"query.appointmentType" = "{oak_lane.type_id}"\n'
        f'"path.reference" = "{booked.appointments[0].reference}"\n'
    )
    command = [
        str(SCHEMATHESIS), "--config-file", str(config), "run", f"{address}/api/openapi.json", "--phases", PHASES,
        "--seed", "7", "--checks", CHECKS, "--max-examples", str(EXAMPLES), "--no-color",
        "--warnings", "off", "--generation-database", "none", "--suppress-health-check", "all", "--no-shrink",
        "--request-timeout", "20", "--continue-on-failure", *more,
    ]  # fmt: skip
    async with nobody_is_limited(redis):
        found = await asyncio.to_thread(
            subprocess.run, command, cwd=folder, capture_output=True, text=True, check=False, timeout=1800
        )
    assert found.returncode == 0, found.stdout[-8000:]
    reached = REACHED.search(found.stdout)
    assert reached is not None, found.stdout[-2000:]
    assert 0 < int(reached[1]) == int(reached[2]), found.stdout[-2000:]


@asynccontextmanager
async def nobody_is_limited(redis: Redis) -> AsyncIterator[None]:
    """Forget how often was asked, again and again: a 429 would hide all other answers."""

    async def forget() -> None:
        while True:
            async for key in redis.scan_iter("*:limit:*", count=1000):
                await redis.delete(key)
            await asyncio.sleep(0.2)

    forgetting = asyncio.create_task(forget())
    yield
    forgetting.cancel()


async def test_nobody_at_all_gets_no_undeclared_answer(
    address: str, oak_lane: OakLane, redis: Redis, tmp_path: Path
) -> None:
    await fuzz(address, oak_lane, redis, tmp_path, *OF_EVERYBODY)


async def test_a_client_gets_no_undeclared_answer(
    address: str, oak_lane: OakLane, redis: Redis, tmp_path: Path
) -> None:
    token = await start_session(redis, oak_lane.practice.practice_id, read_contact("+12125550777", "US"))
    only = ("--include-path-regex", "/(bookings|waitlist|requests|session|holds)", "--exclude-path-regex", "/staff/")
    await fuzz(address, oak_lane, redis, tmp_path, "--header", f"Authorization: Bearer {token}", *only)


async def test_staff_with_every_scope_get_no_undeclared_answer(
    address: str, oak_lane: OakLane, database_url: str, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("owner", browser, oak_lane)
        asked = {"name": "All", "scopes": SCOPES}
        made = await browser.post("/api/v1/staff/keys", json=asked, headers={**FROM_HERE, "Idempotency-Key": "all"})
    assert made.status_code == 201, made.text
    header = f"Authorization: Bearer {made.json()['token']}"
    await fuzz(address, oak_lane, redis, tmp_path, "--header", header, *OF_STAFF)


@pytest.fixture
async def document(api: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await api.get("/api/openapi.json")).json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each operation with its method and path in words."""
    return [(f"{method} {path}", one) for path, item in document["paths"].items() for method, one in item.items()]


async def test_every_operation_but_the_stream_is_asked(document: dict[str, Any]) -> None:
    left_out = [
        path for path in document["paths"] if re.search(OF_EVERYBODY[1], path) and not re.search(OF_STAFF[1], path)
    ]
    assert left_out == ["/api/v1/practices/{slug}/slots/live"]


async def test_the_document_names_every_problem_it_can_answer_with(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    for name, operation in operations(document):
        problems = {status for status in operation["responses"] if status[0] in "45"}
        assert {"400", "429", "500", "503"} <= problems, name
        assert operation["description"], name


async def test_every_path_of_the_document_is_below_version_one(document: dict[str, Any]) -> None:
    assert document["paths"]
    assert all(path.startswith("/api/v1/") for path in document["paths"])


async def test_operations_have_short_names_of_their_own_and_known_tags(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() and name[0].islower() and len(name) < 30 for name in names)
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} <= tags


async def test_whatever_can_answer_401_says_which_token_it_takes(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    for name, operation in operations(document):
        takes = {scheme for one in operation.get("security", []) for scheme in one}
        assert takes <= set(schemes), name
        assert takes or "401" not in operation["responses"], name
        assert ("/staff/" not in name) or takes == {"staffKey", "consoleSession"}, name


async def test_headers_are_declared_where_they_are_sent(api: httpx.AsyncClient, document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            assert {"RateLimit", "RateLimit-Policy"} <= set(response["headers"]), name
            assert ("Retry-After" in response["headers"]) == (status in ("429", "503")), name
    create = document["paths"]["/api/v1/staff/configuration/rules"]["post"]
    assert "ETag" in create["responses"]["201"]["headers"]
    assert {one["name"] for one in create["parameters"]} == {"Idempotency-Key"}
    refused = await api.get("/api/v1/session")
    declared = document["paths"]["/api/v1/session"]["get"]["responses"]["401"]["headers"]
    assert all(name in refused.headers for name in declared)


async def test_every_event_is_listed_among_the_webhooks(document: dict[str, Any]) -> None:
    assert "appointment.booked" in document["webhooks"]
    assert all(one["post"]["requestBody"] for one in document["webhooks"].values())
