"""Nobody learns from an answer, its headers, its work or its time whether a contact is a client's.

Asked over HTTP of the real application, known and unknown contacts in random order. `VETSLOT_PROVE=1` asks thousands.
"""

from __future__ import annotations

import math
import os
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from booking.book import Booked
from booking.client_session import start_session
from booking.contacts import Contact
from booking.db.pool import across_practices, of_practice
from booking.db.staff import Staff, put_staff
from booking.sign_in import hash_password
from booking.tokens import new_reference, sealed
from tests.booking.conftest import Riverside
from tests.booking.steps import hold_first, olivias_booking, send
from tests.widget.oak_lane import FROM_HERE, running, settings_of

PROVE = os.environ.get("VETSLOT_PROVE") == "1"
PAIRS = 2_000 if PROVE else 150
MOST_PAIRS = max(PAIRS, 800)
WARM_UP = range(MOST_PAIRS - 2, MOST_PAIRS)
# A fair test says "different" once in ten million times: it may run for years and not cry wolf. A look-up of two
# milliseconds is found all the same, since samples are taken until it is.
SURE = 1e-7

Kind = Literal["known", "unknown"]
Ask = Callable[[Kind, int], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class World:
    """The application, somebody at it, and what its stores were told."""

    riverside: Riverside
    app: Litestar
    redis: Redis
    statements: list[str]

    async def send(self, n: int, method: str, path: str, **what: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Send a request from an address of its own."""
        address = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))  # type: ignore[arg-type]  # as in oak_lane
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver.local") as client:
            return await client.request(method, path, **what)


@pytest.fixture
async def world(riverside: Riverside, redis_url: str, redis: Redis) -> AsyncIterator[World]:
    """Return the application with many clients behind phones and emails, and room for as many codes."""
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE practice SET texts_per_day = 1000000")
        await conn.execute(KNOWN_CLIENTS, MOST_PAIRS)
    async with running(settings_of(riverside.database_url, redis_url)) as app:
        statements: list[str] = []
        async with app.state.pool.acquire() as conn:
            # Requests come one after the other, and the pool lends the connection that came back last: this one.
            conn.add_query_logger(lambda query: statements.append(query.query))
        yield World(riverside, app, redis, statements)


KNOWN_CLIENTS = """
WITH numbered AS (SELECT practice_id, gen_random_uuid() AS client_id, n FROM practice, generate_series(0, $1) AS n),
  clients AS (
    INSERT INTO client (practice_id, client_id, given_name, family_name, created_at)
    SELECT practice_id, client_id, 'Known', 'Client', now() FROM numbered)
INSERT INTO client_contact (practice_id, client_id, kind, value, as_typed)
SELECT practice_id, client_id, 'phone', '+1212' || (2000000 + n * 1000)::text, '' FROM numbered
UNION ALL SELECT practice_id, client_id, 'email', 'known' || to_char(n, 'FM00000') || '@example.com', '' FROM numbered
"""


def contact(kind: Kind, n: int) -> dict[str, str]:
    """Return a phone or an email, of equal length whichever kind it is."""
    if n % 2:
        return {"email": f"{'known' if kind == 'known' else 'aaaaa'}{n:05}@example.com"}
    return {"phone": f"+1{'212' if kind == 'known' else '646'}{2_000_000 + n * 1000}"}


def asking_for_codes(world: World, *, leak: bool = False) -> Ask:
    """Ask for a code. With a `leak`, the answer waits for two milliseconds where the contact is a client's."""

    async def ask(kind: Kind, n: int) -> httpx.Response:
        began = time.perf_counter()
        answer = await world.send(2 * n + (kind == "known"), "POST", CODES, json=contact(kind, n))
        if leak and kind == "known":
            await _look_up(world)
        answer.extensions["seconds"] = time.perf_counter() - began
        return answer

    return ask


CODES = "/api/v1/practices/riverside/verifications"


async def _look_up(world: World) -> None:
    async with of_practice(world.app.state.pool, world.riverside.practice.practice_id) as conn:
        await conn.execute("SELECT pg_sleep(0.002)")


def entering_wrong_codes(world: World) -> Ask:
    """Enter a wrong code for a contact that was sent one."""

    async def ask(kind: Kind, n: int) -> httpx.Response:
        sent = await world.send(2 * n + (kind == "known"), "POST", CODES, json=contact(kind, n))
        world.statements.clear()
        await world.redis.config_resetstat()
        return await _timed(world.send(n, "POST", f"/api/v1/verifications/{sent.json()['id']}/check", json=NO_CODE))

    return ask


NO_CODE = {"code": "not one"}


def signing_in(world: World) -> Ask:
    """Sign in as staff with a wrong password."""

    async def ask(kind: Kind, n: int) -> httpx.Response:
        email = f"{'known' if kind == 'known' else 'aaaaa'}{n:05}@riverside.example"
        form = {"email": email, "password": "wrong"}
        return await _timed(
            world.send(2 * n + (kind == "known"), "POST", "/console/riverside/sign-in", data=form, headers=FROM_HERE)
        )

    return ask


async def _timed(request: Awaitable[httpx.Response]) -> httpx.Response:
    began = time.perf_counter()
    answer = await request
    answer.extensions["seconds"] = time.perf_counter() - began
    return answer


@dataclass(frozen=True)
class Observed:
    """Everything that somebody at the other end, or on the machine, could see of one request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    statements: tuple[str, ...]
    redis: tuple[tuple[str, int], ...]


async def observe(world: World, ask: Ask, kind: Kind, n: int) -> tuple[Observed, float]:
    """Ask once; what was seen, random ids and moments hidden, and for how long it took."""
    await forget_limits(world)
    world.statements.clear()
    await world.redis.config_resetstat()
    answer = await ask(kind, n)
    stats = await world.redis.info("commandstats")
    commands = {name: one["calls"] for name, one in stats.items() if not name.startswith("cmdstat_config")}
    headers = tuple((name, VARIES.sub(_hidden, value)) for name, value in sorted(answer.headers.items()))
    body = VARIES.sub(_hidden, answer.text)
    if "html" in answer.headers["content-type"]:
        body = body.replace(f"{'known' if kind == 'known' else 'aaaaa'}{n:05}", "·")  # the form shows what was typed
    seen = Observed(answer.status_code, headers, body, tuple(world.statements), tuple(sorted(commands.items())))
    return seen, float(answer.extensions["seconds"])


# A random id, an instant, the seconds until a window ends.
VARIES = re.compile(r"vf_[\w-]{55}|\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=;t=)\d+")


def _hidden(found: re.Match[str]) -> str:
    return "·" * (len(found.group()) if found.group().startswith("vf_") else 1)


async def forget_limits(world: World) -> None:
    """Let the next request be within every limit, as if it were of another hour."""
    keys = [key async for key in world.redis.scan_iter("*:limit:*", count=1000)]
    if keys:
        await world.redis.delete(*keys)


def shuffled(pairs: range) -> Iterator[tuple[Kind, int]]:
    """Name known and unknown contacts by turns that nobody can foresee."""
    order: list[tuple[Kind, int]] = [(kind, n) for n in pairs for kind in ("known", "unknown")]
    random.Random(7).shuffle(order)
    yield from order


def p_of_same_times(a: list[float], b: list[float]) -> float:
    """Return how likely times so different are where nothing differs (Mann-Whitney U, normal approximation)."""
    ranked = sorted([(one, True) for one in a] + [(one, False) for one in b])
    rank_sum = sum(rank for rank, (_, of_a) in enumerate(ranked, 1) if of_a)
    n, m = len(a), len(b)
    u = rank_sum - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return 2 * NormalDist().cdf(-abs(z))


async def times_of(world: World, ask: Ask, pairs: range) -> dict[Kind, list[float]]:
    """Ask for all of them; the seconds each took, and nothing else must differ."""
    seen: dict[Kind, set[Observed]] = {"known": set(), "unknown": set()}
    times: dict[Kind, list[float]] = {"known": [], "unknown": []}
    for kind, n in shuffled(pairs):
        one, seconds = await observe(world, ask, kind, n)
        seen[kind].add(one)
        times[kind].append(seconds)
    assert seen["known"] == seen["unknown"]
    return times


async def warm_up(world: World, ask: Ask) -> None:
    """Let caches fill and connections open before anything is compared."""
    for kind, n in shuffled(WARM_UP):
        await observe(world, ask, kind, n)


@pytest.mark.parametrize("asking", [asking_for_codes, entering_wrong_codes])
async def test_a_known_and_an_unknown_contact_cannot_be_told_apart(
    world: World, asking: Callable[[World], Ask]
) -> None:
    ask = asking(world)
    await warm_up(world, ask)
    times = await times_of(world, ask, range(PAIRS))
    assert p_of_same_times(times["known"], times["unknown"]) > SURE
    assert (await observe(world, ask, "known", 0))[0].status in (202, 422)


async def test_a_look_up_of_two_milliseconds_is_found(world: World) -> None:
    ask = asking_for_codes(world, leak=True)
    times: dict[Kind, list[float]] = {"known": [], "unknown": []}
    for start in range(0, MOST_PAIRS, 50):
        for kind, n in shuffled(range(start, start + 50)):
            await forget_limits(world)
            times[kind].append((await ask(kind, n)).extensions["seconds"])
        if p_of_same_times(times["known"], times["unknown"]) < SURE:
            return
    pytest.fail("The test of times would let a look-up of two milliseconds pass.")


async def test_a_statement_more_for_clients_is_found(world: World) -> None:
    ask = asking_for_codes(world, leak=True)
    known, unknown = [(await observe(world, ask, kind, 0))[0] for kind in ("known", "unknown")]
    assert (known.status, known.headers, known.body) == (unknown.status, unknown.headers, unknown.body)
    assert len(unknown.statements) > 3
    assert known.statements != unknown.statements


async def test_the_email_of_staff_cannot_be_told_from_any_other(world: World) -> None:
    practice_id = world.riverside.practice.practice_id
    password_hash = hash_password("right")
    pairs = range(100 if PROVE else 8)  # a password takes long to check: the times of so few say little, the rest all
    async with of_practice(world.riverside.pool, practice_id) as conn:
        for n in (*pairs, *WARM_UP):
            email = f"known{n:05}@riverside.example"
            member = Staff(staff_id=uuid4(), email=email, name="A", password_hash=password_hash, role="owner")
            await put_staff(conn, practice_id, member)
    ask = signing_in(world)
    await warm_up(world, ask)
    times = await times_of(world, ask, pairs)
    assert p_of_same_times(times["known"], times["unknown"]) > SURE


async def test_the_booking_of_somebody_else_cannot_be_told_from_none(world: World) -> None:
    riverside = world.riverside
    booked = await send(riverside, await olivias_booking(riverside, await hold_first(riverside, riverside.wish())), "k")
    assert isinstance(booked, Booked)
    noor = Contact(kind="email", value="noor@example.com")
    token = await start_session(world.redis, riverside.practice.practice_id, noor)

    async def ask(kind: Kind, n: int) -> httpx.Response:
        reference = booked.appointments[0].reference if kind == "known" else new_reference()
        headers = {"Authorization": f"Bearer {token}"}
        return await _timed(world.send(n, "GET", f"/api/v1/bookings/{reference}", headers=headers))

    await warm_up(world, ask)
    times = await times_of(world, ask, range(PAIRS))
    assert p_of_same_times(times["known"], times["unknown"]) > SURE
    assert (await observe(world, ask, "known", 0))[0].status == 404


async def test_a_verification_that_never_was_answers_like_one_that_is_over(world: World) -> None:
    sent = await world.send(1, "POST", CODES, json=contact("known", 0))
    key = await anext(world.redis.scan_iter("*:verification:*"))
    await world.redis.delete(key)
    never = sealed("vf", world.riverside.practice.practice_id, "x" * 32)
    paths = [f"/api/v1/verifications/{one}/check" for one in (sent.json()["id"], never)]
    over, unknown = [await world.send(n, "POST", path, json=NO_CODE) for n, path in enumerate(paths, 2)]
    assert (over.status_code, over.text) == (unknown.status_code, unknown.text) == (410, over.text)
