"""The line to an agent, both ends: what a worker asks and reads, and what the agent says over HTTP."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from booking.agents.tokens import agent_seen, issue_token, revoke_token
from booking.agents.wakes import Wakes
from booking.db.pool import Pool, connect, of_practice
from pims_adapters import contract as pims
from tests.agent_line import Beside, BesideOakLane, now, open_beside_oak_lane
from tests.copies import copy_of
from tests.widget.oak_lane import SECRET_KEY, browser_of, settings_of
from widget.embedded import PostgresServer, ValkeyServer

ROW = {"table": "client", "id": "c-1", "firstName": "Noor", "lastName": "Haddad"}
BODY = b'{"table":"client","marker":"[vetslot #K7Q2-9FHD]"}'


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def database(postgres: PostgresServer, migrated_template: str) -> AsyncIterator[str]:
    """Return a database that all of these tests share: each has a practice of its own."""
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(copy_of(migrated_template, "agents"))
    yield f"{postgres.url.rsplit('/', 1)[0]}/agents"
    await admin.execute("DROP DATABASE agents WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="module")
async def shared_pool(database: str) -> AsyncIterator[Pool]:
    pool = await connect(database, max_size=20)
    yield pool
    await pool.close()


@pytest.fixture(scope="module")
async def http(database: str, valkey: ValkeyServer) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database, valkey.url)) as client:
        yield client


@pytest.fixture(scope="module")
async def wakes(shared_pool: Pool) -> AsyncIterator[Wakes]:
    wakes = Wakes(shared_pool)
    yield wakes
    await wakes.close()


@pytest.fixture
async def line(shared_pool: Pool) -> BesideOakLane:
    return await open_beside_oak_lane(shared_pool, slug=f"lane-{next(_numbers)}")


@pytest.fixture
async def agent(line: BesideOakLane, http: httpx.AsyncClient) -> Beside:
    """Return an agent that was let in."""
    agent = Beside(http, line.token)
    assert (await agent.hello()).status_code == 200
    return agent


async def execute(line: BesideOakLane, statement: str) -> None:
    """Change what a test wants to be otherwise, for its practice only."""
    async with of_practice(line.pool, line.practice_id) as conn:
        await conn.execute(statement)


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


async def seen(line: BesideOakLane) -> Any:  # noqa: ANN401 - an agent, which is there
    async with of_practice(line.pool, line.practice_id) as conn:
        return await agent_seen(conn, line.practice_id, line.connection_id)


# Who is let in.


async def test_an_agent_is_told_which_feeds_are_wanted_and_how_often(agent: Beside) -> None:
    welcome = (await agent.hello()).json()
    feeds = {feed["name"]: feed for feed in welcome["feeds"]}
    assert feeds["schedule"] == {
        "name": "schedule",
        "tables": ["block", "appointment"],
        "cursor": None,
        "everySeconds": 15,
    }
    assert feeds["set-up"]["tables"] == ["staff", "room", "closure", "type"]


async def test_without_a_token_nobody_is_let_in(http: httpx.AsyncClient, line: BesideOakLane) -> None:
    for token in ("", "ag_nonsense", line.token[:-1] + "x", line.token.replace("ag_", "vs_")):
        answer = await Beside(http, token).hello()
        assert (answer.status_code, code(answer)) == (401, "agent-unknown")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_new_token_leaves_the_old_one_a_day_and_a_revoked_one_opens_nothing(
    line: BesideOakLane, agent: Beside
) -> None:
    async with of_practice(line.pool, line.practice_id) as conn, conn.transaction():
        _, token = await issue_token(
            conn, line.practice_id, line.connection_id, by=uuid4(), secret_key=SECRET_KEY, now=now()
        )
    assert token != line.token
    assert (await agent.hello()).status_code == 200
    await execute(line, "UPDATE agent SET previous_until = now()")
    assert (await agent.hello()).status_code == 401
    agent.token = token
    assert (await agent.hello()).status_code == 200
    async with of_practice(line.pool, line.practice_id) as conn, conn.transaction():
        assert await revoke_token(conn, line.practice_id, line.connection_id, by=uuid4(), now=now())
        assert not await revoke_token(conn, line.practice_id, line.connection_id, by=uuid4(), now=now())
    assert (await agent.hello()).status_code == 401


async def test_tokens_are_kept_as_digests_only(line: BesideOakLane) -> None:
    async with of_practice(line.pool, line.practice_id) as conn:
        kept = str(await conn.fetch("SELECT * FROM agent"))
    assert line.token.split("_")[-1] not in kept


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"timezone": "America/Chicago"}, "hours off"),
        ({"timezone": "Mars/Olympus"}, "hours off"),
        ({"practice": "p-2"}, "'p-2'"),
        ({"system": "cornerstone"}, "'cornerstone'"),
    ],
)
async def test_an_agent_that_does_not_fit_is_refused_and_staff_see_why(
    line: BesideOakLane, http: httpx.AsyncClient, wrong: dict[str, str], words: str
) -> None:
    agent = Beside(http, line.token)
    answer = await agent.hello(**wrong)
    assert (answer.status_code, code(answer)) == (403, "agent-refused")
    assert words in answer.json()["detail"]
    assert (await line.connection()).failure == (await seen(line)).refused == answer.json()["detail"]
    assert (await agent.push("people", None, "1", ROW)).json()["code"] == "hello-first"
    assert (await agent.hello()).status_code == 200
    assert (await seen(line)).refused is None


async def test_another_name_for_the_same_zone_fits(line: BesideOakLane, http: httpx.AsyncClient) -> None:
    assert (await Beside(http, line.token, timezone="US/Eastern").hello()).status_code == 200


async def test_an_agent_of_another_version_is_told_which_one_to_install(
    line: BesideOakLane, http: httpx.AsyncClient
) -> None:
    answer = await Beside(http, line.token).hello(protocol=0)
    assert (answer.status_code, code(answer)) == (422, "protocol-refused")
    assert "an older version" in answer.json()["detail"]
    assert "install an agent of version 1" in answer.json()["detail"]


async def test_of_two_agents_the_second_waits_until_the_first_was_not_heard(
    line: BesideOakLane, http: httpx.AsyncClient, agent: Beside
) -> None:
    second = Beside(http, line.token)
    answer = await second.hello()
    assert (answer.status_code, code(answer)) == (409, "another-agent")
    assert 0 < int(answer.headers["retry-after"]) <= 45
    assert code(await second.push("people", None, "1", ROW)) == "another-agent"
    await execute(line, "UPDATE agent SET leased_until = now()")
    assert (await second.hello()).status_code == 200
    assert code(await agent.push("people", None, "1", ROW)) == "another-agent"


async def test_an_agent_that_crashed_has_the_line_again_at_once(
    agent: Beside, line: BesideOakLane, http: httpx.AsyncClient
) -> None:
    again = Beside(http, line.token)
    assert code(await again.hello(replaces="somebody else")) == "another-agent"
    assert (await again.hello(replaces=agent.instance)).status_code == 200
    assert code(await agent.push("people", None, "1", ROW)) == "another-agent"


async def test_an_agent_that_says_goodbye_makes_room_at_once(
    line: BesideOakLane, http: httpx.AsyncClient, agent: Beside
) -> None:
    assert (await agent.say("bye", {"instance": agent.instance})).json() == {}
    assert code(await agent.push("people", None, "1", ROW)) == "hello-first"
    assert (await Beside(http, line.token).hello()).status_code == 200


async def test_an_agent_reaches_no_other_practice(
    line: BesideOakLane, http: httpx.AsyncClient, agent: Beside, shared_pool: Pool
) -> None:
    other = await open_beside_oak_lane(shared_pool, slug="elm-lane")
    await agent.push("people", None, "1", ROW)
    there = Beside(http, other.token)
    assert {feed["cursor"] for feed in (await there.hello()).json()["feeds"]} == {None}
    # Its secret under the other practice's name opens nothing.
    mixed = f"ag_{other.token.split('_')[1]}_{line.token.split('_', 2)[2]}"
    assert (await Beside(http, mixed).hello()).status_code == 401


# Pages.


async def test_pushed_pages_are_read_in_their_order(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    relay = line.relay(wakes)
    assert (await agent.push("people", None, "1", ROW, more=True)).json() == {"cursor": "1"}
    assert (await agent.push("people", "1", "2", {**ROW, "id": "c-2"})).json() == {"cursor": "2"}
    first = await relay.page("people", None)
    assert (first.cursor, first.more) == ("1", True)
    assert msgspec.json.decode(first.rows) == [ROW]
    second = await relay.page("people", first.cursor)
    assert (second.cursor, second.more) == ("2", False)
    assert (await relay.page("people", "2")).rows == b"[]"


async def test_a_page_that_was_pushed_twice_is_kept_once(line: BesideOakLane, agent: Beside) -> None:
    for _ in range(2):
        assert (await agent.push("people", None, "1", ROW)).json() == {"cursor": "1"}
    async with of_practice(line.pool, line.practice_id) as conn:
        assert await conn.fetchval("SELECT count(*) FROM agent_page") == 1


async def test_after_a_gap_the_agent_is_told_from_where_to_go_on(agent: Beside) -> None:
    answer = await agent.push("people", "7", "8", ROW)
    assert (answer.status_code, code(answer), answer.json()["cursor"]) == (409, "another-cursor", None)
    await agent.push("people", None, "1", ROW)
    answer = await agent.push("people", "7", "8", ROW)
    assert (answer.status_code, answer.json()["cursor"]) == (409, "1")


async def test_an_agent_that_starts_again_is_told_how_far_it_had_come(agent: Beside) -> None:
    await agent.push("people", None, "1", ROW)
    feeds = {feed["name"]: feed["cursor"] for feed in (await agent.hello()).json()["feeds"]}
    assert feeds["people"] == "1"
    assert feeds["schedule"] is None


async def test_hearing_that_nothing_is_new_makes_the_feed_fresher(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    relay = line.relay(wakes)
    await agent.push("people", None, "1", ROW, age=600)
    before = (await relay.page("people", None)).as_of
    await agent.push("people", "1", "1", age=5)
    after = (await relay.page("people", "1")).as_of
    assert timedelta(seconds=590) < after - before < timedelta(seconds=600)
    await agent.push("people", "1", "1", age=300)
    assert (await relay.page("people", "1")).as_of == after


@pytest.mark.parametrize("hours", [-5, 26])
async def test_how_old_a_page_is_counts_by_our_clock_whatever_the_agents_says(
    line: BesideOakLane, http: httpx.AsyncClient, wakes: Wakes, hours: int
) -> None:
    agent = Beside(http, line.token, ahead=timedelta(hours=hours))
    await agent.hello()
    assert abs((await seen(line)).skew - timedelta(hours=hours)) < timedelta(seconds=5)
    agent.ahead = timedelta(minutes=7)  # somebody set the clock
    await agent.push("people", None, "1", ROW, age=60)
    age = now() - (await line.relay(wakes).page("people", None)).as_of
    assert timedelta(seconds=60) <= age < timedelta(seconds=65)


async def test_a_page_from_the_future_is_no_younger_than_now(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    await agent.push("people", None, "1", ROW, age=-3600)
    assert (await line.relay(wakes).page("people", None)).as_of <= now()


@pytest.mark.parametrize("cursor", ["", "nonsense", "9" * 5000, "\0"])
async def test_a_cursor_that_nobody_gave_is_expired(
    line: BesideOakLane, agent: Beside, wakes: Wakes, cursor: str
) -> None:
    await agent.push("people", None, "1", ROW)
    with pytest.raises(pims.CursorExpired):
        await line.relay(wakes).page("people", cursor)


async def test_halfway_through_nothing_is_called_complete(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    relay = line.relay(wakes)
    with pytest.raises(pims.PimsUnavailable, match="not sent anything"):
        await relay.page("people", None)
    await agent.push("people", None, "1", ROW, more=True)
    assert (await relay.page("people", None)).more
    with pytest.raises(pims.PimsUnavailable, match="still sending"):
        await relay.page("people", "1")
    await agent.push("people", "1", "2", ROW)
    complete = (await relay.page("people", "1")).as_of
    await agent.push("people", "2", "3", ROW, more=True)
    await relay.page("people", "2")
    assert (await relay.page("people", "3")).as_of == complete


async def test_what_was_read_goes_away_after_a_while(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    relay = line.relay(wakes)
    await agent.push("people", None, "1", ROW)
    await agent.push("people", "1", "2", ROW)
    await relay.page("people", "1")
    assert (await relay.page("people", None)).cursor == "1"  # another worker may still be there
    await execute(line, "UPDATE agent_page SET read_at = read_at - interval '11 minutes'")
    await relay.page("people", "2")
    async with of_practice(line.pool, line.practice_id) as conn:
        assert await conn.fetchval("SELECT array_agg(cursor) FROM agent_page") == ["2"]


async def test_a_cursor_that_is_no_longer_kept_is_expired_and_the_agent_sends_all_again(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    relay = line.relay(wakes)
    await agent.push("people", None, "1", ROW)
    await agent.push("people", "1", "2", ROW)
    await execute(line, "DELETE FROM agent_page")
    with pytest.raises(pims.CursorExpired):
        await relay.page("people", "1")
    for _ in range(2):
        with pytest.raises(pims.PimsUnavailable, match=r"once more|not sent anything"):
            await relay.page("people", None)
    (call,) = await agent.fetch()
    assert (call["call"], call["body"]) == ("resend", {"feed": "people"})
    assert (await agent.answer(call, {})).status_code == 200
    assert (await agent.push("people", "2", "3", ROW)).json()["cursor"] is None
    await agent.push("people", None, "3", ROW)
    assert (await relay.page("people", None)).cursor == "3"


@pytest.mark.parametrize(
    ("feed", "after", "cursor", "rows"),
    [
        ("gossip", None, "1", [ROW]),
        ("people", "1", "1", [ROW]),
        ("people", "2", "1", [ROW]),
    ],
)
async def test_a_page_that_leads_nowhere_is_refused(
    line: BesideOakLane, agent: Beside, feed: str, after: str | None, cursor: str, rows: list[dict[str, Any]]
) -> None:
    await agent.push("people", None, "1", ROW)
    if after == "2":
        await agent.push("people", "1", "2", ROW)
    answer = await agent.push(feed, after, cursor, *rows)
    assert (answer.status_code, code(answer)) == (422, "page-refused")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'"\xff"',
        b'{"instance": "x"}',
        msgspec.json.encode({"rows": [{"table": "nothing", "id": "1"}]}),
        msgspec.json.encode({"rows": [{"table": "client", "id": ""}]}),
        msgspec.json.encode({"rows": [{**ROW, "id": "c" * 101}]}),
        msgspec.json.encode({"rows": [ROW] * 501}),
        msgspec.json.encode({"cursor": ""}),
        msgspec.json.encode({"asOf": "2026-11-24T09:00:00"}),
        msgspec.json.encode(
            {"rows": [{"table": "block", "id": "1", "starts": "2026-11-24T09:00:00Z", "minutes": 5, "staff": "1"}]}
        ),
    ],
)
async def test_what_is_not_the_protocol_is_malformed(agent: Beside, body: bytes) -> None:
    whole: dict[str, Any] = {
        "instance": agent.instance, "feed": "people", "after": None, "cursor": "1", "more": False,
        "clock": now(), "asOf": now(), "rows": [],
    }  # fmt: skip
    try:
        sent = msgspec.json.encode({**whole, **msgspec.json.decode(body)}) if b"instance" not in body else body
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        sent = body
    headers = {"Authorization": f"Bearer {agent.token}", "Content-Type": "application/json"}
    answer = await agent.http.post("/agent/v1/pages", content=sent, headers=headers)
    assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_unknown_members_are_skipped(agent: Beside) -> None:
    assert (await agent.push("people", None, "1", {**ROW, "loyaltyPoints": 7})).status_code == 200


async def test_a_page_beyond_four_megabytes_is_too_large(agent: Beside) -> None:
    answer = await agent.push("people", None, "1", *[{**ROW, "notes": "x" * 9000}] * 500)
    assert (answer.status_code, code(answer)) == (413, "too-large")


async def test_an_agent_that_is_never_read_is_asked_to_wait(line: BesideOakLane, agent: Beside) -> None:
    await agent.push("people", None, "1", ROW)
    await execute(
        line,
        """INSERT INTO agent_page (practice_id, connection_id, feed, after, cursor, more, as_of, rows)
           SELECT practice_id, connection_id, feed, 'x' || n, 'y' || n, more, as_of, rows
           FROM agent_page, generate_series(1, 499) n""",
    )
    answer = await agent.push("people", "1", "2", ROW)
    assert (answer.status_code, code(answer), answer.json()["retryable"]) == (503, "backlog-full", True)
    await execute(line, "UPDATE agent_page SET read_at = now()")
    assert (await agent.push("people", "1", "2", ROW)).status_code == 200


async def test_a_pushed_page_wakes_the_workers_at_once(line: BesideOakLane, agent: Beside, database: str) -> None:
    heard: list[object] = []
    conn = await asyncpg.connect(database)
    await conn.add_listener("vetslot_work", lambda *told: heard.append(told[3]))
    await agent.push("people", None, "1", ROW)
    await agent.push("people", "1", "1")
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.01)
    await conn.close()
    assert set(heard) == {"sync"}


# Calls.


async def test_a_call_reaches_the_waiting_agent_and_its_answer_whoever_asked(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    waiting = asyncio.create_task(agent.fetch(wait=10))
    await asyncio.sleep(0.2)
    began = now()
    asked = asyncio.create_task(line.relay(wakes).ask("find", BODY))
    (call,) = await waiting
    assert (call["call"], call["body"]) == ("find", msgspec.json.decode(BODY))
    assert "key" not in call
    await agent.answer(call, {"id": "c-9"})
    assert await asked == b'{"id":"c-9"}'
    assert now() - began < timedelta(seconds=1)
    async with of_practice(line.pool, line.practice_id) as conn:
        assert await conn.fetchval("SELECT count(*) FROM agent_call") == 0


async def test_a_deadline_is_told_by_the_agents_own_clock(
    line: BesideOakLane, http: httpx.AsyncClient, wakes: Wakes
) -> None:
    agent = Beside(http, line.token, ahead=timedelta(hours=3))
    await agent.hello()
    asked = asyncio.create_task(line.relay(wakes).ask("find", BODY))
    (call,) = await agent.fetch(wait=5)
    left = msgspec.convert(call["deadline"], type=type(began := now())) - agent.ahead - began
    assert timedelta(seconds=3) < left < timedelta(seconds=6)
    await agent.answer(call, {})
    await asked


async def test_what_the_agent_did_not_fetch_in_time_is_withdrawn_and_known_not_to_have_happened(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    relay = line.relay(wakes, answer_within=timedelta(milliseconds=100))
    with pytest.raises(pims.PimsUnavailable) as refused:
        await relay.ask("create_client", BODY, key="k")
    assert not refused.value.outcome_unknown
    assert await agent.fetch() == []
    asked = asyncio.create_task(line.relay(wakes).ask("create_client", BODY, key="k"))
    (call,) = await agent.fetch(wait=5)
    assert call["key"] == "k"
    await agent.answer(call, {"id": "c-1"})
    assert await asked == b'{"id":"c-1"}'


async def test_a_write_that_was_fetched_and_not_answered_is_unknown_and_not_handed_out_again(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    relay = line.relay(wakes, answer_within=timedelta(milliseconds=300))
    asked = asyncio.create_task(relay.ask("create_client", BODY, key="k"))
    (call,) = await agent.fetch(wait=5)
    with pytest.raises(pims.PimsUnavailable) as lost:
        await asked
    assert lost.value.outcome_unknown
    for _ in range(2):
        with pytest.raises(pims.PimsUnavailable) as lost:
            await relay.ask("create_client", BODY, key="k")
        assert lost.value.outcome_unknown
        assert await agent.fetch() == []
    await agent.answer(call, {"id": "c-1"})
    assert await relay.ask("create_client", BODY, key="k") == b'{"id":"c-1"}'


async def test_a_key_may_be_used_again_once_the_pims_was_found_to_have_nothing_after_its_lag(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    relay = line.relay(wakes, answer_within=timedelta(milliseconds=200))
    asked = asyncio.create_task(relay.ask("create_client", BODY, key="k"))
    await agent.fetch(wait=5)
    with pytest.raises(pims.PimsUnavailable):
        await asked
    await relay.settle("create_client", "k", lag=timedelta(minutes=3))
    with pytest.raises(pims.PimsUnavailable) as lost:
        await relay.ask("create_client", BODY, key="k")
    assert lost.value.outcome_unknown
    await asyncio.sleep(0.2)
    await relay.settle("create_client", "k", lag=timedelta())
    asked = asyncio.create_task(line.relay(wakes).ask("create_client", BODY, key="k"))
    (call,) = await agent.fetch(wait=5)
    await agent.answer(call, {"id": "c-2"})
    assert await asked == b'{"id":"c-2"}'


async def test_what_was_done_under_a_key_is_never_handed_out_again(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    relay = line.relay(wakes)
    asked = asyncio.create_task(relay.ask("create_client", BODY, key="k"))
    (call,) = await agent.fetch(wait=5)
    await agent.answer(call, {"id": "c-1"})
    await asked
    await relay.settle("create_client", "k", lag=-timedelta(days=1))
    assert await relay.ask("create_client", BODY, key="k") == b'{"id":"c-1"}'
    assert await agent.fetch() == []
    async with of_practice(line.pool, line.practice_id) as conn:
        assert await conn.fetchval("SELECT body FROM agent_call") == b""


async def test_what_is_the_same_done_twice_is_asked_again(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    relay = line.relay(wakes, answer_within=timedelta(milliseconds=200))
    for answers in (False, True, True):
        asked = asyncio.create_task(relay.ask("confirm_appointment", b'{"id":"7"}', key="k"))
        (call,) = await agent.fetch(wait=5)
        if answers:
            await agent.answer(call, {})
            assert await asked == b"{}"
        else:
            with pytest.raises(pims.PimsUnavailable):
                await asked


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ({"kind": "rejected", "reason": "Taken.", "taken": True}, pims.PimsRejected),
        ({"kind": "misconfigured", "reason": "No such author."}, pims.PimsMisconfigured),
        ({"kind": "unavailable", "reason": "The PIMS is shut."}, pims.PimsUnavailable),
        ({"kind": "unavailable", "reason": "It broke off.", "outcomeUnknown": True}, pims.PimsUnavailable),
    ],
)
async def test_failures_come_as_the_errors_of_the_contract(
    line: BesideOakLane, agent: Beside, wakes: Wakes, failure: dict[str, Any], error: type[pims.PimsError]
) -> None:
    relay = line.relay(wakes)
    asked = asyncio.create_task(relay.ask("create_client", BODY, key="k"))
    (call,) = await agent.fetch(wait=5)
    await agent.fail(call, **failure)
    with pytest.raises(error, match=failure["reason"]) as found:
        await asked
    assert getattr(found.value, "taken", False) == failure.get("taken", False)
    unknown = failure.get("outcomeUnknown", False)
    assert getattr(found.value, "outcome_unknown", False) == unknown
    # What is known not to have been done may be asked again; what may have been may not.
    again = asyncio.create_task(
        line.relay(wakes, answer_within=timedelta(seconds=1)).ask("create_client", BODY, key="k")
    )
    assert len(await agent.fetch(wait=0.5)) == (0 if unknown else 1)
    with pytest.raises(pims.PimsError):
        await again


async def test_two_who_ask_under_one_key_hear_of_one_call(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    relay = line.relay(wakes)
    asked = [asyncio.create_task(relay.ask("create_client", BODY, key="k")) for _ in range(5)]
    await asyncio.sleep(0.3)
    (call,) = await agent.fetch(wait=5, most=50)
    await agent.answer(call, {"id": "c-1"})
    assert await asyncio.gather(*asked) == [b'{"id":"c-1"}'] * 5


async def test_of_two_who_fetch_at_once_one_gets_the_call(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    waiting = [asyncio.create_task(agent.fetch(wait=1)) for _ in range(4)]
    asked = asyncio.create_task(line.relay(wakes).ask("find", BODY))
    found = [call for calls in await asyncio.gather(*waiting) for call in calls]
    assert len(found) == 1
    await agent.answer(found[0], {})
    await asked


async def test_a_fetch_whose_answer_was_lost_is_answered_again_to_the_same_agent(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    asked = asyncio.create_task(line.relay(wakes).ask("create_client", BODY, key="k"))
    (lost,) = await agent.fetch(wait=5)
    assert await agent.fetch() == []
    assert await agent.fetch(holding=[lost["id"]]) == []
    (call,) = await agent.fetch(holding=[])
    assert call == lost
    await agent.answer(call, {})
    await asked


async def test_an_asker_that_gives_up_withdraws_what_nobody_fetched(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await line.relay(wakes).ask("create_client", BODY, key="k")
    assert await agent.fetch() == []


async def test_an_absent_agent_is_not_waited_for(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    await execute(line, "UPDATE agent SET seen_at = now() - interval '2 minutes'")
    began = now()
    with pytest.raises(pims.PimsUnavailable, match="not connected") as absent:
        await line.relay(wakes).ask("create_client", BODY, key="k")
    assert not absent.value.outcome_unknown
    assert now() - began < timedelta(seconds=1)


async def test_without_an_agent_the_connection_is_misconfigured(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    await execute(line, "UPDATE agent SET token_hash = NULL")
    with pytest.raises(pims.PimsMisconfigured):
        await line.relay(wakes).ask("find", BODY)
    await execute(line, "DELETE FROM agent")
    with pytest.raises(pims.PimsMisconfigured):
        await line.relay(wakes).ask("find", BODY)
    assert await line.relay(wakes).agent() is None


async def test_a_result_is_an_answer_or_a_failure_and_may_come_twice(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    asked = asyncio.create_task(line.relay(wakes).ask("find", BODY))
    (call,) = await agent.fetch(wait=5)
    neither = await agent.say("calls/result", {"instance": agent.instance, "id": call["id"]})
    assert (neither.status_code, code(neither)) == (422, "result-refused")
    assert code(await agent.answer({"id": "no id of ours"}, {})) == "result-refused"
    for _ in range(2):
        assert (await agent.answer(call, {"id": "1"})).json() == {}
    assert (await agent.answer({"id": str(uuid4())}, {})).status_code == 200
    await asked


async def test_a_call_is_answered_though_the_listening_connection_was_cut(
    line: BesideOakLane, agent: Beside, wakes: Wakes
) -> None:
    waiting = asyncio.create_task(agent.fetch(wait=10))
    await asyncio.sleep(0.2)
    await execute(
        line,
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE query LIKE 'LISTEN%' AND datname = current_database()""",
    )
    asked = asyncio.create_task(line.relay(wakes, answer_within=timedelta(seconds=10)).ask("find", BODY))
    (call,) = await waiting
    await agent.answer(call, {})
    assert await asked == b"{}"


async def test_what_an_agent_says_of_itself_is_known(line: BesideOakLane, agent: Beside, wakes: Wakes) -> None:
    found = await line.relay(wakes).agent()
    assert found is not None
    assert (found.practice_pims_id, found.practice_name, found.version) == ("p-1", "Oak Lane", "9.9")
    assert found.timezone == "America/New_York"
