"""A practice whose PIMS speaks through an agent, and an agent written for tests, which says what a test tells it to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec

from booking.agents.relay import DatabaseRelay
from booking.agents.tokens import issue_token
from booking.agents.wakes import Wakes
from booking.db.connections import Connection, connection_of, put_connection
from booking.db.pool import Pool, across_practices
from tests.widget.oak_lane import SECRET_KEY, OakLane, open_oak_lane


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Beside:
    """An agent beside a PIMS. `ahead`: how far its clock is ahead of ours."""

    http: httpx.AsyncClient
    token: str
    practice: str = "p-1"
    system: str = "avimark"
    timezone: str = "America/New_York"
    ahead: timedelta = timedelta()
    instance: str = field(default_factory=lambda: str(uuid4()))

    async def say(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Say something, in the words of the protocol."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return await self.http.post(f"/agent/v1/{path}", content=msgspec.json.encode(body), headers=headers)

    async def hello(self, **other: Any) -> httpx.Response:  # noqa: ANN401 - JSON
        body = {
            "protocol": 1,
            "instance": self.instance,
            "agentVersion": "test",
            "system": self.system,
            "systemVersion": "9.9",
            "practice": self.practice,
            "practiceName": "Oak Lane",
            "timezone": self.timezone,
            "clock": now() + self.ahead,
        }
        return await self.say("hello", body | other)

    async def push(
        self, feed: str, after: str | None, cursor: str, *rows: dict[str, Any], more: bool = False, age: float = 0
    ) -> httpx.Response:
        """Push a page that shows the PIMS as it was `age` seconds ago."""
        clock = now() + self.ahead
        body = {"instance": self.instance, "feed": feed, "after": after, "cursor": cursor, "more": more}
        return await self.say(
            "pages", {**body, "clock": clock, "asOf": clock - timedelta(seconds=age), "rows": list(rows)}
        )

    async def fetch(self, wait: float = 0, **other: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
        """Return what is to be done."""
        answer = await self.say("calls/fetch", {"instance": self.instance, "waitSeconds": wait, **other})
        assert answer.status_code == 200, answer.text
        calls: list[dict[str, Any]] = answer.json()["calls"]
        return calls

    async def answer(self, call: dict[str, Any], answer: object) -> httpx.Response:
        return await self.say("calls/result", {"instance": self.instance, "id": call["id"], "answer": answer})

    async def fail(self, call: dict[str, Any], kind: str, reason: str, **other: object) -> httpx.Response:
        failure = {"kind": kind, "reason": reason, **other}
        return await self.say("calls/result", {"instance": self.instance, "id": call["id"], "failure": failure})


@dataclass
class BesideOakLane:
    """Oak Lane, connected through an agent."""

    oak_lane: OakLane
    connection_id: UUID
    token: str

    @property
    def pool(self) -> Pool:
        return self.oak_lane.pool

    @property
    def practice_id(self) -> UUID:
        return self.oak_lane.practice.practice_id

    async def connection(self) -> Connection:
        async with across_practices(self.pool) as conn:
            found = await connection_of(conn, self.practice_id)
        assert found is not None
        return found

    def relay(self, wakes: Wakes, *, answer_within: timedelta = timedelta(seconds=5)) -> DatabaseRelay:
        """Return a worker's end of the line."""
        return DatabaseRelay(
            self.pool, wakes, self.practice_id, self.connection_id, clock=now, answer_within=answer_within
        )


async def open_beside_oak_lane(pool: Pool, *, system: str = "avimark", slug: str = "oak-lane") -> BesideOakLane:
    """Add the practice with a live connection and the token of its agent."""
    oak_lane, connection_id = await open_oak_lane(pool, slug), uuid4()
    practice_id = oak_lane.practice.practice_id
    async with across_practices(pool) as conn, conn.transaction():
        await put_connection(
            conn,
            Connection(
                practice_id=practice_id,
                connection_id=connection_id,
                adapter=system,
                settings={"practice": "p-1"},
                status="live",
                as_of=None,
                failing_since=None,
                failure=None,
            ),
        )
        _, token = await issue_token(conn, practice_id, connection_id, by=uuid4(), secret_key=SECRET_KEY, now=now())
    return BesideOakLane(oak_lane, connection_id, token)
