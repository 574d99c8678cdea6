"""The contract suite's peer of a system behind an agent: the clinic simulator, the reference agent's hands, no line.

What the line adds (HTTP, keys in the database, leases) is tested in `tests/booking/test_agents.py`.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from pims_adapters import contract, systems
from pims_adapters._agent import protocol
from pims_adapters._agent.agent.calls import Hands
from pims_adapters._agent.agent.journal import Journal
from pims_adapters._agent.agent.simulator import SimulatorSource
from pims_adapters._agent.marker import marker
from pims_adapters._agent.rows import GONE, columns_of, room_column, staff_column
from tests.clinic import Dialect, Simulator, running_simulator
from tests.pims_adapters.peers import DONE, Fault, SystemPeer, Way

ZONE = ZoneInfo("America/New_York")
TABLES: dict[contract.RecordKind, tuple[protocol.Table, ...]] = {
    "resource": ("staff", "room"),
    "closure": ("closure",),
    "blockoff": ("block",),
    "appointmenttype": ("type",),
    "client": ("client",),
    "patient": ("patient",),
    "appointment": ("appointment",),
    "vaccination": ("vaccine",),
    "reminder": ("reminder",),
}


class DirectRelay:
    """A relay that asks the agent's hands at once, and loses what it is told to lose."""

    def __init__(self, source: SimulatorSource, journal: Journal, feeds: tuple[contract.Feed, ...]) -> None:
        self.faults: dict[Literal["read", "write"], Fault] = {}
        self.absent = False
        self._given: set[tuple[str, str]] = set()
        self._source = source
        self._hands = Hands(source, journal, lambda _feed: None)
        self._tables = {feed.name: tuple(one for kind in feed.kinds for one in TABLES[kind]) for feed in feeds}

    async def agent(self) -> contract.AgentSeen | None:
        about = await self._source.about()
        return contract.AgentSeen(
            at=datetime.now(UTC),
            skew=timedelta(),
            practice_pims_id=about.practice,
            practice_name=about.practice_name,
            timezone=about.timezone,
            version=about.version,
        )

    async def page(self, feed: str, cursor: str | None) -> contract.RelayedPage:
        self._meet("read")
        if cursor is not None and (feed, cursor) not in self._given:
            raise contract.CursorExpired("This is no cursor.")
        found = await self._source.changes(self._tables[feed], cursor, protocol.MOST_ROWS)
        self._given.add((feed, found.cursor))
        return contract.RelayedPage(
            rows=msgspec.json.encode(found.rows),
            cursor=found.cursor,
            more=found.more,
            as_of=datetime.now(UTC) - found.age,
        )

    async def ask(self, call: str, body: bytes, *, key: str | None = None) -> bytes:
        met = self._meet("read" if key is None else "write")
        asked = protocol.Call(
            id=uuid4().hex,
            call=msgspec.convert(call, protocol.CallName),
            key=key,
            deadline=self._source.now() + timedelta(seconds=8),
            body=msgspec.Raw(body),
        )
        outcome = await self._hands.do(asked)
        if met == "broken_answer":
            return b'{"id": {"'
        if met is not None:
            raise contract.PimsUnavailable("The agent did not answer.", outcome_unknown=key is not None)
        match outcome.failure:
            case None:
                return outcome.answer or b""
            case protocol.Failure(kind="rejected") as failure:
                raise contract.PimsRejected(failure.reason, taken=failure.taken)
            case protocol.Failure(kind="misconfigured") as failure:
                raise contract.PimsMisconfigured(failure.reason)
            case failure:
                unknown = key is not None and failure.outcome_unknown
                raise contract.PimsUnavailable(failure.reason, outcome_unknown=unknown)

    async def settle(self, call: str, key: str, *, lag: timedelta) -> None:
        """The agent's own journal says what was done."""

    def _meet(self, on: Literal["read", "write"]) -> Fault | None:
        """Meet the fault that was ordered: before anything is done, or return it to be met after."""
        if self.absent:
            raise contract.PimsUnavailable("The agent is not connected.", outcome_unknown=False)
        met = self.faults.pop(on, None)
        if met == "unavailable":
            raise contract.PimsUnavailable("The agent did not come for it.", outcome_unknown=False)
        if met == "reset_before" or (met is not None and on == "read"):
            raise contract.PimsUnavailable("The agent did not answer.", outcome_unknown=on == "write")
        return met if met in DONE else None


class AgentPeer(SystemPeer):
    """A simulated system behind an agent, its staff at their screens, and a line that loses things."""

    ways = frozenset({"well", "unreachable"})
    faults = frozenset({"refused", "unavailable", "reset_before", "answer_lost", "error_after", "broken_answer"})
    unknown_after = frozenset({"reset_before", "answer_lost", "error_after", "broken_answer"})
    refuses_taken = False
    system: ClassVar[Dialect]
    author: ClassVar[str]
    """The setting that names who writes."""

    def __init__(self, clinic: Simulator, relay: DirectRelay, lost: DirectRelay) -> None:
        super().__init__()
        self.clinic = clinic
        self.settings = {"practice": "L-1", self.author: clinic.providers()[0].id}
        self._direct, self._lost = relay, lost
        self.relay = relay
        self._nights = itertools.count()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        feeds: tuple[contract.Feed, ...] = systems()[cls.name].adapter.feeds  # type: ignore[attr-defined]
        with running_simulator(cls.system, options="--weeks=1") as clinic, tempfile.TemporaryDirectory() as folder:
            source = SimulatorSource(clinic.url, timeout=2)
            journal = Journal(Path(folder) / "journal", source.now())
            lost = DirectRelay(source, journal, feeds)
            lost.absent = True
            try:
                yield cls(clinic, DirectRelay(source, journal, feeds), lost)
            finally:
                journal.close()
                await source.close()

    def connect(self, way: Way = "well") -> contract.PimsAdapter:
        self.relay = self._lost if way == "unreachable" else self._direct
        try:
            return self.connect_by(self.settings)
        finally:
            self.relay = self._direct

    async def held(self) -> set[tuple[contract.RecordKind, str]]:
        named = {"staff": staff_column, "room": room_column}
        return {
            (GONE[table], named.get(table, str)(row["id"]))
            for table, rows in self.clinic.state()["tables"].items()
            for row in rows
            if table in GONE and row.get("active", True)
        }

    async def count(self, kind: contract.Kind, key: str) -> int:
        return len(self.clinic.with_marker(marker(key), kind))

    def draft(self) -> contract.AppointmentDraft:
        start = datetime(2028, 3, 1, 3, tzinfo=UTC) + timedelta(days=next(self._nights))
        patient = next(row for row in self.clinic.patients() if row.status == "")
        return contract.AppointmentDraft(
            client=patient.client,
            patient=patient.id,
            appointment_type=self.clinic.types()[0].id,
            start=start,
            end=start + timedelta(minutes=30),
            resources=(staff_column(self.clinic.providers()[0].id), room_column(self._rooms()[0])),
            description="[vetslot Direct Booking] Zebulon Quillfeather: limping",
        )

    def draft_elsewhere(self) -> contract.AppointmentDraft:
        resources = (staff_column(self.clinic.providers()[1].id), room_column(self._rooms()[1]))
        return replace(self.draft(), resources=resources)

    def _rooms(self) -> list[str]:
        return [row.id for row in self.clinic.rows("room") if isinstance(row, protocol.Room)]

    async def staff_book(self, start: datetime, end: datetime, resources: tuple[str, ...], words: str) -> str:
        staff, room = columns_of(resources)
        minutes = int((end - start) / timedelta(minutes=1))
        return self.clinic.book(_local(start), minutes, staff=staff, room=room, notes=words)

    async def staff_move(self, pims_id: str, start: datetime, end: datetime) -> None:
        self.clinic.move(pims_id, starts=_local(start), minutes=int((end - start) / timedelta(minutes=1)))

    async def staff_cancel(self, pims_id: str) -> None:
        self.clinic.cancel(pims_id)

    async def staff_delete(self, pims_id: str) -> None:
        self.clinic.delete(pims_id)

    async def order(self, fault: Fault, on: Literal["read", "write"]) -> None:
        if fault == "refused":
            self.clinic.order("refused", on="write")
        else:
            self._direct.faults[on] = fault

    async def calm(self) -> None:
        self.clinic.reset_faults()
        self._direct.faults.clear()


def _local(instant: datetime) -> datetime:
    return instant.astimezone(ZONE).replace(tzinfo=None)
