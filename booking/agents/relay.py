"""Relay: the adapters' end of the line to an agent, for any worker. All that it knows stands in PostgreSQL.

A call under a key is handed out once: until it is known that nothing came of it, whoever asks the same again is given
what became of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from booking.agents.calls import topic_of_calls, topic_of_result
from booking.agents.wakes import Wakes, heard
from booking.db import agent_calls, agent_pages, agents
from booking.db.agent_calls import Asked, Fate
from booking.db.agent_pages import BEGINNING
from booking.db.pool import Connection, Pool, of_practice
from pims_adapters import contract as pims
from pims_adapters._agent.protocol import Resend

ANSWER_WITHIN = timedelta(seconds=8)
RESEND_WITHIN = timedelta(days=1)
READ_PAGES_STAY = timedelta(minutes=10)
LONGEST_CURSOR = 500
NOT_HEARD_FOR = timedelta(seconds=60)
REPEATABLE = frozenset({"cancel_appointment", "confirm_appointment", "set_status", "resend"})
"""Calls that say how something is to stand: doing them twice does no more than doing them once."""


class DatabaseRelay:
    """The line to one connection's agent (see `contract.Relay` for what each call promises)."""

    def __init__(
        self,
        pool: Pool,
        wakes: Wakes,
        practice_id: UUID,
        connection_id: UUID,
        *,
        clock: Callable[[], datetime],
        answer_within: timedelta = ANSWER_WITHIN,
    ) -> None:
        self._pool = pool
        self._wakes = wakes
        self._of = practice_id, connection_id
        self._clock = clock
        self._answer_within = answer_within

    async def agent(self) -> pims.AgentSeen | None:
        async with of_practice(self._pool, self._of[0]) as conn:
            agent = await agents.agent_of(conn, *self._of)
        if agent is None or agent.said is None or agent.seen_at is None:
            return None
        return pims.AgentSeen(
            at=agent.seen_at,
            skew=agent.skew,
            practice_pims_id=agent.said.practice,
            practice_name=agent.said.practice_name,
            timezone=agent.said.timezone,
            version=agent.said.system_version,
        )

    async def page(self, feed: str, cursor: str | None) -> pims.RelayedPage:
        if cursor is not None and not _is_cursor(cursor):
            raise pims.CursorExpired("This is no cursor of the agent's.")
        now = self._clock()
        async with of_practice(self._pool, self._of[0]) as conn, conn.transaction():
            head = await agent_pages.lock_feed(conn, *self._of, feed)
            if cursor is not None:
                drop_before = now - READ_PAGES_STAY
                await agent_pages.read_up_to(conn, *self._of, feed, cursor, now=now, drop_before=drop_before)
            page = await agent_pages.page_after(conn, *self._of, feed, cursor or BEGINNING)
            if page is not None:
                more = page.more or page.followed
                return pims.RelayedPage(rows=page.rows, cursor=page.cursor, more=more, as_of=page.as_of)
            if cursor is not None and cursor == head.head:
                if head.as_of is None:
                    raise _not_now("The agent is still sending what the PIMS holds.")
                return pims.RelayedPage(rows=b"[]", cursor=cursor, more=False, as_of=head.as_of)
            if cursor is not None:
                raise pims.CursorExpired("What followed this cursor is no longer kept.")
            if head.head != BEGINNING:
                await agent_pages.start_anew(conn, *self._of, feed)
                await self._ask_to_resend(conn, feed, now)
        if head.head != BEGINNING:
            raise _not_now("The agent was asked to send all that the PIMS holds once more.")
        raise _not_now("The agent has not sent anything yet.")

    async def _ask_to_resend(self, conn: Connection, feed: str, now: datetime) -> None:
        """Ask without waiting; an agent that pushes first is told by the cursor that is expected of it."""
        asked = Asked(
            call_id=uuid4(),
            call="resend",
            key=f"resend/{feed}",
            body=msgspec.json.encode(Resend(feed=feed)),
            deadline=now + RESEND_WITHIN,
        )
        await agent_calls.ask(conn, *self._of, asked, repeatable=True, now=now)
        await agent_calls.tell(conn, topic_of_calls(self._of[1]))

    async def ask(self, call: str, body: bytes, *, key: str | None = None) -> bytes:
        now = self._clock()
        asked = Asked(call_id=uuid4(), call=call, key=key, body=body, deadline=now + self._answer_within)
        # Heard from before it is asked: an answer cannot come in between.
        with self._wakes.hearing(topic_of_result(asked.call_id)) as word:
            fate = await self._put(asked, now)
            if fate.call_id == asked.call_id:
                return await self._answer(asked, fate, word)
        with self._wakes.hearing(topic_of_result(fate.call_id)) as word:
            word.set()
            return await self._answer(asked, fate, word)

    async def _put(self, asked: Asked, now: datetime) -> Fate:
        """Ask, unless the same was asked before under its key: then its fate is returned."""
        async with of_practice(self._pool, self._of[0]) as conn, conn.transaction():
            agent = await agents.agent_of(conn, *self._of)
            if agent is None or agent.revoked:
                raise pims.PimsMisconfigured("No agent is set up: issue a token and enter it beside the PIMS.")
            repeatable = asked.call in REPEATABLE
            before = None
            if asked.key is not None and not repeatable:
                before = await agent_calls.under_key(conn, *self._of, asked.call, asked.key)
            if before is not None and before.answer is not None:
                return before
            if agent.seen_at is None or agent.seen_at < now - NOT_HEARD_FOR:
                reason = "The agent beside the PIMS is not connected."
                raise pims.PimsUnavailable(reason, outcome_unknown=before is not None and before.may_be_done)
            fate = await agent_calls.ask(conn, *self._of, asked, repeatable=repeatable, now=now)
            if fate is None and asked.key is not None:
                fate = await agent_calls.under_key(conn, *self._of, asked.call, asked.key)
            if fate is None:
                raise _not_now("The same was withdrawn a moment ago.")
            await agent_calls.tell(conn, topic_of_calls(self._of[1]))
            return fate

    async def _answer(self, asked: Asked, fate: Fate, word: asyncio.Event) -> bytes:
        """Wait for what becomes of a call; take it back where nobody fetched it in time."""
        found: Fate | None = fate
        try:
            while found is not None and found.answer is None and found.failure is None:
                left = asked.deadline - self._clock()
                if left <= timedelta():
                    break
                await heard(word, left)
                async with of_practice(self._pool, self._of[0]) as conn:
                    found = await agent_calls.fate_of(conn, *self._of, fate.call_id)
        except asyncio.CancelledError:
            await self._withdraw(fate.call_id)
            raise
        if found is None or (found.answer is None and found.failure is None and await self._withdraw(fate.call_id)):
            raise _not_now("The agent beside the PIMS did not come for what it was asked.")
        if asked.key is None:
            await self._forget(fate.call_id)
        return _answered(found, writes=asked.key is not None)

    async def _withdraw(self, call_id: UUID) -> bool:
        async with of_practice(self._pool, self._of[0]) as conn:
            return await agent_calls.withdraw(conn, *self._of, call_id)

    async def _forget(self, call_id: UUID) -> None:
        async with of_practice(self._pool, self._of[0]) as conn:
            await agent_calls.forget(conn, *self._of, call_id)

    async def settle(self, call: str, key: str, *, lag: timedelta) -> None:
        # The PIMS was asked within the last `answer_within`, so what it shows may be as old as that.
        due_before = self._clock() - self._answer_within - lag
        async with of_practice(self._pool, self._of[0]) as conn:
            await agent_calls.settle(conn, *self._of, call, key, due_before=due_before)


def _answered(fate: Fate, *, writes: bool) -> bytes:
    """Return an answer, or raise what became of a call instead."""
    if fate.answer is not None:
        return fate.answer
    failure = fate.failure
    if failure is None:
        raise pims.PimsUnavailable("The agent beside the PIMS was asked and has not answered.", outcome_unknown=writes)
    match failure.kind:
        case "rejected":
            raise pims.PimsRejected(failure.reason, taken=failure.taken)
        case "misconfigured":
            raise pims.PimsMisconfigured(failure.reason)
        case _:
            raise pims.PimsUnavailable(failure.reason, outcome_unknown=writes and failure.outcome_unknown)


def _is_cursor(cursor: str) -> bool:
    return 0 < len(cursor) <= LONGEST_CURSOR and "\0" not in cursor


def _not_now(reason: str) -> pims.PimsUnavailable:
    return pims.PimsUnavailable(reason, outcome_unknown=False)
