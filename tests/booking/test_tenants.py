"""One practice's data is never reachable from another's: by the tables, by row-level security, and over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from booking.client_session import start_session
from booking.contacts import read_contact
from booking.db.pool import Connection, Pool, across_practices, of_no_practice, of_practice
from booking.db.staff_tasks import open_task
from booking.tokens import sealed
from tests.widget.live_connection import connect_pims
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as
from widget.app import create_app

TABLES = """
SELECT c.table_name::text AS name, r.relrowsecurity AS enabled, r.relforcerowsecurity AS forced,
  (SELECT pg_get_expr(p.polqual, p.polrelid) FROM pg_policy p
   WHERE p.polrelid = r.oid AND p.polname = 'of_practice' AND p.polcmd = '*' AND p.polpermissive) AS policy,
  (SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = i.indkey[0]
   WHERE i.indrelid = r.oid AND i.indisprimary) AS first_key
FROM information_schema.columns c
JOIN pg_class r ON r.relname = c.table_name AND r.relnamespace = 'public'::regnamespace AND r.relkind = 'r'
WHERE c.table_schema = 'public' AND c.column_name = 'practice_id'
"""
ALL_TABLES = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
OF_NOBODY = {
    "schema_migrations": "the schema's own history",
    "code_text_total": "counts what the whole installation pays for",
}
"""Tables that hold no practice's data, each with its reason."""


async def unguarded(conn: Connection) -> dict[str, str]:
    """Return the tables that do not keep practices apart, and what each lacks."""
    found = {row["name"]: row for row in await conn.fetch(TABLES)}
    lacking = {
        row["relname"]: "practice_id"
        for row in await conn.fetch(ALL_TABLES)
        if row["relname"] not in found.keys() | OF_NOBODY.keys()
    }
    for name, row in found.items():
        policy = row["policy"] or ""
        if row["first_key"] != "practice_id":
            lacking[name] = "practice_id first in its key"
        elif not (row["enabled"] and row["forced"]):
            lacking[name] = "row-level security, forced"
        elif "(practice_id = ( SELECT (NULLIF(NULLIF(current_setting('vetslot.practice_id'" not in policy:
            lacking[name] = "the policy"
    return lacking


async def test_every_table_is_keyed_by_practice_and_guarded(pool: Pool) -> None:
    async with across_practices(pool) as conn:
        assert await unguarded(conn) == {}


@pytest.mark.parametrize(
    ("broken", "lacks"),
    [
        ("ALTER TABLE client DISABLE ROW LEVEL SECURITY", {"client": "row-level security, forced"}),
        ("ALTER TABLE client NO FORCE ROW LEVEL SECURITY", {"client": "row-level security, forced"}),
        ("DROP POLICY of_practice ON hold", {"hold": "the policy"}),
        ("CREATE TABLE note (note_id uuid primary key)", {"note": "practice_id"}),
        (
            "CREATE TABLE note (practice_id uuid, note_id uuid primary key)",
            {"note": "practice_id first in its key"},
        ),
    ],
)
async def test_a_table_without_its_guard_is_found(pool: Pool, broken: str, lacks: dict[str, str]) -> None:
    async with across_practices(pool) as conn:
        await conn.execute(broken)
        assert await unguarded(conn) == lacks


@pytest.fixture
async def both(pool: Pool) -> tuple[OakLane, OakLane]:
    """Return two practices, each with something of everything that staff and clients make."""
    oak_lane, elm_road = await open_oak_lane(pool), await open_oak_lane(pool, "elm-road")
    for one in (oak_lane, elm_road):
        await connect_pims(pool, one.practice.practice_id)
        await one.book()
        await one.hold(22)
        async with of_practice(pool, one.practice.practice_id) as conn:
            await open_task(conn, one.practice.practice_id, "missing", "a-1", "Please look.", datetime.now(UTC))
    return oak_lane, elm_road


async def tables_of(conn: Connection) -> list[str]:
    return [row["name"] for row in await conn.fetch(TABLES) if row["name"] != "practice"]


async def test_a_connection_told_one_practice_sees_no_other_even_without_where(
    pool: Pool, both: tuple[OakLane, OakLane]
) -> None:
    oak_lane, _ = both
    filled = set()
    async with of_practice(pool, oak_lane.practice.practice_id) as conn:
        for table in await tables_of(conn):
            seen = {row["practice_id"] for row in await conn.fetch(f"SELECT practice_id FROM {table}")}
            assert seen <= {oak_lane.practice.practice_id}, table
            filled |= {table} if seen else set()
    assert filled >= {"staff", "resource", "appointment_type", "client", "patient", "appointment", "claim", "hold"}


async def test_a_connection_told_nothing_sees_nothing(pool: Pool, both: tuple[OakLane, OakLane]) -> None:
    async with of_no_practice(pool) as conn:
        for table in await tables_of(conn):
            assert await conn.fetch(f"SELECT 1 FROM {table}") == [], table


async def test_a_connection_told_one_practice_changes_no_other(pool: Pool, both: tuple[OakLane, OakLane]) -> None:
    oak_lane, elm_road = both
    async with across_practices(pool) as conn:
        before = {table: await _rows(conn, table, elm_road) for table in await tables_of(conn)}
    async with of_practice(pool, oak_lane.practice.practice_id) as conn:
        for table, rows in before.items():
            for statement in (f"UPDATE {table} SET practice_id = practice_id", f"DELETE FROM {table}"):
                change = conn.transaction()
                await change.start()
                try:
                    await conn.execute(f"{statement} WHERE practice_id = $1", elm_road.practice.practice_id)
                finally:
                    await change.rollback()
            if rows:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await _insert_again(pool, table, oak_lane, elm_road)
        await conn.execute("UPDATE practice SET name = 'Ours'")
    async with across_practices(pool) as conn:
        assert {table: await _rows(conn, table, elm_road) for table in before} == before
        names = await conn.fetch("SELECT practice_id FROM practice WHERE name = 'Ours'")
    assert [row["practice_id"] for row in names] == [oak_lane.practice.practice_id]


async def _rows(conn: Connection, table: str, of: OakLane) -> list[asyncpg.Record]:
    return await conn.fetch(f"SELECT * FROM {table} WHERE practice_id = $1 ORDER BY 1, 2", of.practice.practice_id)


async def _insert_again(pool: Pool, table: str, told: OakLane, other: OakLane) -> None:
    """Add a row of another practice, as a connection that was told of this one."""
    async with across_practices(pool) as conn:
        (columns,) = await conn.fetchrow(  # type: ignore[misc]  # there is one
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
            " AND attidentity = ''",
            table,
        )
        row = await conn.fetchval(
            f"SELECT to_jsonb(t) FROM {table} t WHERE practice_id = $1 LIMIT 1", other.practice.practice_id
        )
    async with of_practice(pool, told.practice.practice_id) as conn:
        await conn.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(null::{table}, $1)", row
        )


RULE = {"name": "Quiet", "effect": "deny", "when": [{"starts": "2026-01-01T12:00:00", "duration": "PT1H"}]}
ENTRY = {
    "start": "2030-01-07T15:00:00Z",
    "newClient": {"givenName": "Ada", "familyName": "Byron"},
    "contact": "+12125550199",
    "patients": [{"type": "new", "name": "Bo", "species": "dog"}],
}
TIME = {"start": "2030-01-07T15:00:00Z"}
SETUP = {
    "practice": ("practice", None),
    "appointment-types": ("appointment_type", {"name": "Trim"}),
    "resources": ("resource", {"name": "Room 9", "kind": "room"}),
    "rules": ("rule", RULE),
    "closures": ("closure", {"name": "Holiday", "first": "2026-12-24", "last": "2026-12-26"}),
    "block-offs": ("block_off", {"time": RULE["when"][0]}),
    "questions": ("question", {"label": "Allergies?", "kind": "text"}),
}
STAFF, HOLDER, SESSION, MANAGER = "staff", "holder", "session", "manager"
CASES: dict[str, tuple[str, str, Any]] = {
    "/holds/{hold_id}/extend": (HOLDER, "hold", None),
    "/holds/{hold_id}": (HOLDER, "hold", None),
    "/bookings/{reference}": (SESSION, "appointment.reference", None),
    "/bookings/{reference}/reschedule": (SESSION, "appointment.reference", TIME),
    "/bookings/{reference}/cancel": (SESSION, "appointment.reference", None),
    "/bookings/{reference}/confirm": (MANAGER, "appointment.reference", None),
    "/bookings/{reference}/calendar.ics": (MANAGER, "appointment.reference", None),
    "/waitlist/{entry_id}": (SESSION, "waitlist_entry", None),
    "/waitlist/{entry_id}/accept": (SESSION, "waitlist_entry", None),
    "/waitlist/{entry_id}/decline": (SESSION, "waitlist_entry", None),
    "/requests/{request_id}/withdraw": (SESSION, "appointment_request", None),
    "/staff/appointments/{appointment_id}/reschedule": (STAFF, "appointment", TIME),
    "/staff/appointments/{appointment_id}/cancel": (STAFF, "appointment", None),
    "/staff/appointments/{appointment_id}/status": (STAFF, "appointment", {"status": "arrived"}),
    "/staff/requests/{request_id}/book": (STAFF, "appointment_request", ENTRY),
    "/staff/requests/{request_id}/decline": (STAFF, "appointment_request", {"message": "Sorry."}),
    "/staff/write-backs/{write_back_id}/retry": (STAFF, "write_back", None),
    "/staff/write-backs/{write_back_id}/done": (STAFF, "write_back", {}),
    "/staff/conversations/{conversation_id}": (STAFF, "conversation", None),
    "/staff/conversations/{conversation_id}/replies": (STAFF, "conversation", {"message": "Hello."}),
    "/staff/conversations/{conversation_id}/close": (STAFF, "conversation", None),
    "/staff/conversations/{conversation_id}/export": (STAFF, "conversation", None),
    "/staff/write-backs/{write_back_id}/link": (STAFF, "write_back", {"pimsId": "client-1"}),
    "/staff/tasks/{staff_task_id}/done": (STAFF, "staff_task", None),
    "/staff/keys/{api_key_id}/revoke": (STAFF, "api_key", None),
    "/staff/calendar-feeds/{feed_id}/revoke": (STAFF, "calendar_feed", None),
    "/staff/webhooks/{webhook_id}": (STAFF, "webhook_endpoint", {"description": "Ours"}),
    "/staff/webhooks/{webhook_id}/rotate": (STAFF, "webhook_endpoint", None),
    "/staff/webhooks/{webhook_id}/test": (STAFF, "webhook_endpoint", None),
    "/staff/webhooks/{webhook_id}/deliveries": (STAFF, "webhook_endpoint", None),
    "/staff/webhook-deliveries/{delivery_id}/redeliver": (STAFF, "webhook_delivery", None),
    "/staff/configuration/versions/{number}": (STAFF, "audit.number", None),
    "/staff/configuration/versions/{number}/revert": (STAFF, "audit.number", None),
    "/staff/clients/{client_id}": (STAFF, "client", None),
    **{f"/staff/configuration/{kind}/{{item_id}}": (STAFF, table, body) for kind, (table, body) in SETUP.items()},
    **{
        f"/staff/configuration/{kind}/{{item_id}}/retire": (STAFF, table, None)
        for kind, (table, _) in SETUP.items()
        if kind != "practice"
    },
}
"""Every route with an id in its path: who asks, which of the other practice's ids, and a body that can be read."""

NO_IDS = {
    "/calendar/{file}": "whoever has the address has the feed",
    "/verifications/{verification_id}/check": "the id carries its practice, and is checked by code alone",
    "/staff/connection/feeds/{name}/accept-losses": "a feed's name, which practices share, of the asker's connection",
}
"""Routes whose path holds no id of something: each with its reason."""


def routes_with_ids(app: Litestar) -> dict[str, set[str]]:
    """Return every route of the API with an id in its path, and its methods."""
    return {
        path: set(getattr(route, "methods", ())) - {"OPTIONS", "HEAD"}
        for route in app.routes
        if route.path_format.startswith("/api/v1/")
        and (path := route.path_format.removeprefix("/api/v1"))
        and "{" in path.replace("{slug}", "")
    }


@pytest.fixture
async def browser(pool: Pool, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        browser.headers.update(FROM_HERE)
        yield browser


def test_every_route_with_an_id_is_tried() -> None:
    found = routes_with_ids(create_app(settings_of("postgresql://nowhere", "redis://nowhere")))
    assert found.keys() - CASES.keys() - NO_IDS.keys() == set()
    assert CASES.keys() - found.keys() == set()


async def test_an_id_of_another_practice_is_as_one_that_never_was(
    pool: Pool, browser: httpx.AsyncClient, redis: Redis, both: tuple[OakLane, OakLane]
) -> None:
    oak_lane, elm_road = both
    await fill(browser, redis, elm_road)
    await sign_in_as("owner", browser, oak_lane)
    practice_id = oak_lane.practice.practice_id
    token = await start_session(redis, practice_id, read_contact("+12125550777", "US"))
    booked = await oak_lane.book(nth=4)
    bearers = {
        STAFF: {},
        HOLDER: {"Authorization": f"Bearer {sealed('hs', practice_id, (await oak_lane.hold(26)).secret)}"},
        SESSION: {"Authorization": f"Bearer {token}"},
        MANAGER: {"Authorization": f"Bearer {sealed('mt', practice_id, booked.manage_token)}"},
    }
    told = {}
    for path, methods in routes_with_ids(create_app(settings_of("postgresql://nowhere", "redis://nowhere"))).items():
        if path in NO_IDS:
            continue
        asking, what, body = CASES[path]
        theirs, never = await an_id(pool, what, elm_road)
        if path == "/staff/requests/{request_id}/book":
            body = {**body, "appointmentType": str(oak_lane.type_id)}
        if path.startswith("/staff/configuration/practice"):
            body = (await browser.get("/api/v1/staff/configuration/practice")).json()["items"][0]["settings"]
        if path.startswith("/staff/configuration/block-offs") and body:
            body = {**body, "resourceId": str(oak_lane.provider_id)}
        for method in methods:
            answers = [
                await browser.request(
                    method,
                    "/api/v1" + path.replace(path[path.index("{") : path.index("}") + 1], one),
                    json=None if method in ("GET", "DELETE") else body,
                    headers={**bearers[asking], "Idempotency-Key": str(uuid4())},
                )
                for one in (theirs, never)
            ]
            seen = [(answer.status_code, answer.content, _lasting(answer.headers)) for answer in answers]
            if seen[0] != seen[1] or seen[0][0] != httpx.codes.NOT_FOUND:
                told[f"{method} {path}"] = seen
    assert told == {}


def _lasting(headers: httpx.Headers) -> dict[str, str]:
    """Return the headers without what counts requests."""
    return {name: value for name, value in headers.items() if not name.startswith("ratelimit")}


async def an_id(pool: Pool, what: str, of: OakLane) -> tuple[str, str]:
    """Return an id of something that a practice has, and one of the same form that never was."""
    table, _, column = what.partition(".")
    async with of_practice(pool, of.practice.practice_id) as conn:
        found = await conn.fetchval(
            f"SELECT max({column or table + '_id'}::text) FROM {table} WHERE practice_id = $1", of.practice.practice_id
        )
    assert found, table
    return found, {"number": "987654", "reference": "K7Q2-9FHD"}.get(column, str(uuid4()))


async def fill(browser: httpx.AsyncClient, redis: Redis, practice: OakLane) -> None:
    """Give a practice one of everything that its staff can make, and a request."""
    await sign_in_as("owner", browser, practice)
    made: dict[str, dict[str, Any]] = {
        f"configuration/{kind}": body for kind, (_, body) in SETUP.items() if body is not None
    }
    made["configuration/block-offs"] = {**SETUP["block-offs"][1], "resourceId": str(practice.provider_id)}  # type: ignore[dict-item]
    made["keys"] = {"name": "Key", "scopes": ["clients:read"]}
    made["calendar-feeds"] = {"name": "Feed"}
    made["webhooks"] = {"url": "http://127.0.0.1:9/hook", "events": ["appointment.booked"]}
    for _ in range(9):
        # So that this practice's history is longer than the other's.
        made_rule = await browser.post(
            "/api/v1/staff/configuration/rules", json=RULE, headers={"Idempotency-Key": str(uuid4())}
        )
        assert made_rule.status_code == httpx.codes.CREATED, made_rule.text
    for path, body in made.items():
        answer = await browser.post(f"/api/v1/staff/{path}", json=body, headers={"Idempotency-Key": str(uuid4())})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        if path == "webhooks":
            tested = await browser.post(f"/api/v1/staff/webhooks/{answer.json()['webhook']['id']}/test")
            assert tested.status_code == httpx.codes.ACCEPTED, tested.text
    await wait_in_line(browser, redis, practice)
    asked = {"contact": "+12125550777", "name": "Noor", "patientName": "Zuzu", "species": "dog"}
    answer = await browser.post(
        f"/api/v1/practices/{practice.practice.slug}/requests",
        json=asked,
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    browser.cookies.clear()


async def wait_in_line(browser: httpx.AsyncClient, redis: Redis, practice: OakLane) -> None:
    """Let a client of the practice join its waitlist."""
    token = await start_session(redis, practice.practice.practice_id, read_contact("+12125550777", "US"))
    window = {"first": str(practice.tomorrow), "last": str(practice.tomorrow)}
    answer = await browser.post(
        f"/api/v1/practices/{practice.practice.slug}/waitlist",
        json={"appointmentType": str(practice.type_id), "windows": [window]},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
