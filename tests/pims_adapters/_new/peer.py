"""The contract suite's peer of NewPims."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from msgspec.structs import replace

from pims_adapters.contract import AppointmentDraft, Kind, PimsAdapter, RecordKind
from tests.pims_adapters._new.double import COLUMNS, KEY, PRACTICE, Double
from tests.pims_adapters.peers import Fault, SystemPeer, Way


class NewPimsPeer(SystemPeer):
    """The double, its staff, and its faults."""

    name = "_new"
    misfits = ({"url": "127.0.0.1"}, {"url": "ftp://127.0.0.1"}, {"timeout_seconds": "0"}, {"key": "a\nb"})

    def __init__(self, double: Double, url: str, nowhere: str) -> None:
        super().__init__()
        self.double = double
        self.settings = {"url": url, "key": KEY}
        self._nowhere = nowhere
        self._days = itertools.count()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        double = Double()
        server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
            urls = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in (*server.sockets, reserved)]
            async with server:
                yield cls(double, *urls)

    def connect(self, way: Way = "well") -> PimsAdapter:
        settings = {
            "well": {},
            "impatient": {"timeout_seconds": "0.5"},
            "wrong_credential": {"key": "wrong"},
            "unreachable": {"url": self._nowhere},
        }
        return self.connect_by(self.settings | settings[way])

    async def held(self) -> set[tuple[RecordKind, str]]:
        held: set[tuple[RecordKind, str]] = {("practice", PRACTICE["id"])}
        held |= {("resource", column["id"]) for column in COLUMNS}
        return held | {("appointment", id_) for id_ in self.double.visits}

    async def count(self, kind: Kind, key: str) -> int:
        assert kind == "appointment"
        return sum(visit.get("key") == key for visit in self.double.visits.values())

    def draft(self) -> AppointmentDraft:
        start = datetime(2028, 3, 1, 15, tzinfo=UTC) + timedelta(days=next(self._days))
        return AppointmentDraft(
            client=None,
            patient=None,
            appointment_type="Wellness exam",
            start=start,
            end=start + timedelta(minutes=30),
            resources=("lee",),
            description="[vetslot Direct Booking] Zebulon Quillfeather: limping",
        )

    def draft_elsewhere(self) -> AppointmentDraft:
        return replace(self.draft(), resources=("room",))

    async def staff_book(self, start: datetime, end: datetime, resources: tuple[str, ...], words: str) -> str:
        visit = {"start": start.isoformat(), "end": end.isoformat(), "columns": list(resources), "note": words}
        return self.double.book(visit)

    async def staff_move(self, pims_id: str, start: datetime, end: datetime) -> None:
        moved = {"start": start.isoformat(), "end": end.isoformat()}
        self.double.put(pims_id, self.double.visits[pims_id] | moved)

    async def staff_cancel(self, pims_id: str) -> None:
        self.double.put(pims_id, self.double.visits[pims_id] | {"cancelled": True})

    async def staff_delete(self, pims_id: str) -> None:
        self.double.put(pims_id, None)

    async def order(self, fault: Fault, on: Literal["read", "write"]) -> None:
        self.double.faults[on] = fault

    async def calm(self) -> None:
        self.double.faults.clear()

    async def forget_cursors(self) -> bool:
        draft = self.draft()
        await self.staff_book(draft.start, draft.end, draft.resources, "After the cursors")
        self.double.began = len(self.double.log)
        return True


PEER = NewPimsPeer
