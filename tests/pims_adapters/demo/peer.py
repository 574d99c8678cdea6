"""The contract suite's peer of `demo`: the demo PIMS in its own process."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from msgspec.structs import replace

from pims_adapters.contract import AppointmentDraft, Kind, PimsAdapter, RecordKind
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.demo_clinic import DemoClinic, running_clinic
from tests.pims_adapters.peers import Fault, SystemPeer, Way

SLOW_SECONDS = 1.5
THEIR_WORDS: dict[Fault, str] = {"refused": "refuse", "slow": "slow_answer"}
OURS: dict[str, RecordKind] = {
    "practice": "practice",
    "column": "resource",
    "holiday": "closure",
    "block": "blockoff",
    "visittype": "appointmenttype",
    "client": "client",
    "patient": "patient",
    "appointment": "appointment",
}
READS = ("changes", "find", "read")
WRITES = (
    "create_client",
    "create_patient",
    "create_appointment",
    "change_appointment",
    "cancel_appointment",
    "confirm_appointment",
)


class DemoPeer(SystemPeer):
    """The demo PIMS, its staff at their screens, its faults on request."""

    name = "demo"
    misfits = (
        {"url": "127.0.0.1:8100"},
        {"url": "ftp://127.0.0.1"},
        {"url": "http://"},
        {"url": "http://[::1"},
        {"key": "a\nb"},
        {"timeout_seconds": "soon"},
        {"timeout_seconds": "0"},
        {"timeout_seconds": "nan"},
    )

    def __init__(self, clinic: DemoClinic, nowhere: str) -> None:
        super().__init__()
        self.clinic = clinic
        self.settings = clinic.settings
        self._nowhere = nowhere
        self._nights = itertools.count()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        with running_clinic() as clinic, socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
            yield cls(clinic, f"http://127.0.0.1:{reserved.getsockname()[1]}")

    def connect(self, way: Way = "well") -> PimsAdapter:
        settings = {
            "well": {},
            "impatient": {"timeout_seconds": "0.5"},
            "wrong_credential": {"key": "wrong"},
            "unreachable": {"url": self._nowhere},
        }
        return self.connect_by(self.settings | settings[way])

    async def held(self) -> set[tuple[RecordKind, str]]:
        page = self.clinic.get("/v1/changes")
        records = page["changes"]
        while page["more"]:
            page = self.clinic.get("/v1/changes", cursor=page["cursor"])
            records += page["changes"]
        return {(OURS[record["kind"]], record["id"]) for record in records if record["kind"] != "deleted"}

    async def count(self, kind: Kind, key: str) -> int:
        return len(self.clinic.with_key(f"{kind}s", key))

    def draft(self) -> AppointmentDraft:
        start = datetime(2028, 3, 1, 3, tzinfo=UTC) + timedelta(days=next(self._nights))
        return AppointmentDraft(
            client=OLIVIA_CARTER.client,
            patient="pat-biscuit",
            appointment_type="type-wellness",
            start=start,
            end=start + timedelta(minutes=30),
            resources=("prov-lee", "room-1"),
            description="[vetslot Direct Booking] Zebulon Quillfeather: limping",
        )

    def draft_elsewhere(self) -> AppointmentDraft:
        return replace(self.draft(), resources=("prov-okafor", "room-2"))

    async def staff_book(self, start: datetime, end: datetime, resources: tuple[str, ...], words: str) -> str:
        body = {"start": start.isoformat(), "end": end.isoformat(), "columns": list(resources), "note": words}
        made: str = self.clinic.post("/staff/appointments", **body)["id"]
        return made

    async def staff_move(self, pims_id: str, start: datetime, end: datetime) -> None:
        self.clinic.post(f"/staff/appointments/{pims_id}/move", start=start.isoformat(), end=end.isoformat())

    async def staff_cancel(self, pims_id: str) -> None:
        self.clinic.post(f"/staff/appointments/{pims_id}/state", state="cancelled")

    async def staff_delete(self, pims_id: str) -> None:
        self.clinic.post(f"/staff/appointments/{pims_id}/delete")

    async def order(self, fault: Fault, on: Literal["read", "write"]) -> None:
        for call in READS if on == "read" else WRITES:
            self.clinic.order_fault(call, THEIR_WORDS.get(fault, fault), seconds=SLOW_SECONDS)

    async def calm(self) -> None:
        self.clinic.reset_faults()

    async def forget_cursors(self) -> bool:
        self.clinic.post("/staff/changes/forget")
        return True


PEER = DemoPeer
