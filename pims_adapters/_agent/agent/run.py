"""The agent's life: say hello, push feeds and do calls until the line is lost, and begin again; stop when told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET, Raw
from msgspec.structs import replace

from pims_adapters._agent.agent.calls import SURE_AFTER, Hands, Outcome
from pims_adapters._agent.agent.feeds import Pusher
from pims_adapters._agent.agent.folder import Folder
from pims_adapters._agent.agent.journal import Journal, Written
from pims_adapters._agent.agent.line import (
    AnotherSpeaks,
    HelloFirst,
    Line,
    LineError,
    NotFitting,
    OutOfReach,
    Refused,
)
from pims_adapters._agent.agent.patience import Patience
from pims_adapters._agent.agent.source import About, Source
from pims_adapters._agent.protocol import VERSION, Call, Fetch, Hello, Result, Welcome
from pims_adapters.contract import PimsMisconfigured, PimsUnavailable

AGENT_VERSION = "1.0"
WAIT_SECONDS = 20.0
MOST_AT_ONCE = 10
FINISH_WITHIN = 10.0
LOOK_AT_LOOSE_ENDS = timedelta(seconds=30)

log = logging.getLogger("vetslot.agent")


class Agent:
    """One running agent: one instance, one PIMS, one line."""

    def __init__(self, line: Line, source: Source, folder: Folder, *, sure_after: timedelta = SURE_AFTER) -> None:
        self.instance = uuid4().hex
        self._replaces = folder.take_over(self.instance)
        self._line = line
        self._source = source
        self._journal = Journal(folder.journal, source.now())
        self._hands = Hands(source, self._journal, self._resend, sure_after=sure_after)
        self._pushers: dict[str, Pusher] = {}
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._broken: asyncio.Queue[BaseException] = asyncio.Queue()
        self._stopping = asyncio.Event()

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def stop(self) -> None:
        """Let `run` finish what is in hand, say goodbye, and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Speak for the PIMS until told to stop.

        Raises `TokenRefused` and `VersionRefused`, `PimsMisconfigured` where the PIMS cannot be opened, and waits for
        whatever may heal by itself or by somebody's settings.
        """
        patience = Patience()
        while not self._stopping.is_set():
            try:
                welcome, about = await self._hello()
                patience.rest()
                await self._speak(welcome, about)
            except HelloFirst:
                log.info("The line was given up meanwhile; saying hello again.")
                await self._pause(patience.pause())
            except (OutOfReach, NotFitting, AnotherSpeaks, Refused, PimsUnavailable) as error:
                log.warning("%s", error)
                await self._pause(patience.pause(getattr(error, "wait", None)))
        await self._finish()

    async def run_once(self) -> None:
        """Push what is new, do what is to be done, and leave. Raises whatever stands in the way."""
        welcome, about = await self._hello()
        self._prepare(welcome, about)
        for written in self._journal.open_ends():
            await self._tie(written)
        for pusher in self._pushers.values():
            await pusher.push_all()
        while calls := await self._line.fetch(Fetch(instance=self.instance, wait_seconds=0, most=MOST_AT_ONCE)):
            for call in calls:
                await self._do(call)
        await self._finish()

    async def _hello(self) -> tuple[Welcome, About]:
        about = await self._source.about()
        hello = Hello(
            protocol=VERSION,
            instance=self.instance,
            replaces=self._replaces,
            agent_version=AGENT_VERSION,
            system=about.system,
            system_version=about.version,
            practice=about.practice,
            practice_name=about.practice_name,
            timezone=about.timezone,
            clock=self._source.now(),
        )
        welcome = await self._line.hello(hello)
        log.info("Welcome: %d feeds, a lease of %d seconds.", len(welcome.feeds), welcome.lease_seconds)
        return welcome, about

    def _prepare(self, welcome: Welcome, about: About) -> None:
        try:
            zone = ZoneInfo(about.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise PimsMisconfigured(
                f"The practice system names a time zone that is none: {about.timezone!r}."
            ) from None
        self._hands.write_lag = about.write_lag
        self._pushers = {
            feed.name: Pusher(self._line, self._source, self.instance, feed, zone) for feed in welcome.feeds
        }

    async def _speak(self, welcome: Welcome, about: About) -> None:
        """Push and do calls until told to stop, or until one of them fails with what only a hello can mend."""
        self._prepare(welcome, about)
        works: list[Coroutine[Any, Any, object]] = [pusher.run() for pusher in self._pushers.values()]
        tasks = [
            asyncio.create_task(work)
            for work in (*works, self._serve(), self._tie_all(), self._break(), self._stopping.wait())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    # Calls

    async def _serve(self) -> None:
        """Fetch calls and do them, some at once."""
        patience = Patience()
        while True:
            if len(self._in_hand) >= MOST_AT_ONCE:
                await asyncio.wait(self._in_hand.values(), return_when=asyncio.FIRST_COMPLETED)
                continue
            fetch = Fetch(
                instance=self.instance,
                wait_seconds=WAIT_SECONDS,
                most=MOST_AT_ONCE - len(self._in_hand),
                holding=tuple(self._in_hand),
            )
            try:
                calls = await self._line.fetch(fetch)
                patience.rest()
            except OutOfReach as error:
                log.warning("%s", error)
                await asyncio.sleep(patience.pause(error.wait))
                continue
            for call in calls:
                if call.id not in self._in_hand:
                    task = self._in_hand[call.id] = asyncio.create_task(self._do(call))
                    task.add_done_callback(partial(self._ended, call.id))

    def _ended(self, call_id: str, task: asyncio.Task[None]) -> None:
        del self._in_hand[call_id]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Whatever it is (a full disk, a bug) ends the agent with its reason.
            self._broken.put_nowait(error)

    async def _break(self) -> None:
        raise await self._broken.get()

    async def _do(self, call: Call) -> None:
        outcome = await self._hands.do(call)
        log.info("%s: %s", call.call, "done" if outcome.failure is None else outcome.failure.kind)
        if await self._report(call.id, outcome):
            self._hands.reported(call)

    async def _report(self, call_id: str, outcome: Outcome) -> bool:
        """Tell vetslot what became of a call; False where it will not hear it now (a write is told after a hello)."""
        answer = UNSET if outcome.answer is None else Raw(outcome.answer)
        result = Result(instance=self.instance, id=call_id, answer=answer, failure=outcome.failure)
        patience = Patience()
        while True:
            try:
                await self._line.report(result)
            except OutOfReach as error:
                if self._stopping.is_set():
                    return False
                await asyncio.sleep(patience.pause(error.wait))
            except Refused as error:
                log.warning("%s", error)
                return True
            except LineError:
                return False
            else:
                return True

    # Loose ends

    async def _tie_all(self) -> None:
        """Tell what became of writes that a crash or a lost line left open, as soon as that is known."""
        patience = Patience(longest=LOOK_AT_LOOSE_ENDS)
        while True:
            for written in self._journal.open_ends():
                if written.call_id not in self._in_hand:
                    await self._tie(written)
            await asyncio.sleep(patience.pause())

    async def _tie(self, written: Written) -> None:
        outcome = await self._hands.loose_end(written)
        if outcome is not None and await self._report(written.call_id, outcome):
            known = self._journal.of(written.call, written.key)
            if known is not None:
                self._journal.end(replace(known, reported=True))

    def _resend(self, feed: str) -> None:
        if feed in self._pushers:
            self._pushers[feed].start_anew()

    # The end

    async def _finish(self) -> None:
        """Let what is in hand end, and free the line."""
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=FINISH_WITHIN)
        for task in [*self._in_hand.values()]:
            task.cancel()
        try:
            await self._line.bye(self.instance)
        except LineError as error:
            log.info("Goodbye was not heard: %s", error)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
