"""The contract suite's peer of `ezyvet`: the double in a process of its own."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from msgspec.structs import replace

from pims_adapters.contract import AppointmentDraft, Kind, PimsAdapter, RecordKind
from tests.ezyvet_double import EzyVetDouble, running_double
from tests.pims_adapters.ezyvet.double import seed
from tests.pims_adapters.peers import Fault, SystemPeer, Way

SLOW_SECONDS = 4.0
RATE_LIMITED_SECONDS = 30.0
IMPATIENT_SECONDS = "1.5"
"""Enough for all that a booking reads before it writes."""
MARKED: dict[Kind, tuple[str, str]] = {
    "client": ("contactdetail", "name"),
    "patient": ("animal", "notes"),
    "appointment": ("appointment", "description"),
}
VISITS, OPERATIONS = "1+2+3", "4+5"


class EzyVetPeer(SystemPeer):
    """The ezyVet double, its staff at their screens, its faults on request."""

    name = "ezyvet"
    misfits = (
        {"url": "api.ezyvet.com"},
        {"url": "ftp://127.0.0.1"},
        {"url": "http://api.ezyvet.com"},
        {"url": "https://name:word@api.ezyvet.com"},
        {"booking_url": "http://[::1"},
        {"client_secret": "a\nb"},
        {"ownership_id": "north"},
        {"planning_days": "63"},
        {"timeout_seconds": "soon"},
        {"timeout_seconds": "0"},
        {"timeout_seconds": "nan"},
        {"calls_per_minute": "0"},
    )

    def __init__(self, double: EzyVetDouble, nowhere: str) -> None:
        super().__init__()
        self.double = double
        self.settings = double.settings | {"planning_days": "7"}
        self._nowhere = nowhere
        self._nights = itertools.count()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        with running_double() as double, socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
            yield cls(double, f"http://127.0.0.1:{reserved.getsockname()[1]}")

    def connect(self, way: Way = "well") -> PimsAdapter:
        settings = {
            "well": {},
            "impatient": {"timeout_seconds": IMPATIENT_SECONDS},
            "wrong_credential": {"client_secret": "wrong"},
            "unreachable": {"url": self._nowhere},
        }
        return self.connect_by(self.settings | settings[way])

    async def held(self) -> set[tuple[RecordKind, str]]:
        held: set[tuple[RecordKind, str]] = {("practice", self.settings["site_uid"])}
        for row in self.double.rows("resource"):
            if row["active"] and row["access"] == "On Calendar" and row["ownership_id"] == seed.HERE:
                held.add(("resource", str(row["id"])))
        for row in self.double.rows("appointmenttype"):
            if row["active"] and row["id"] != seed.BLOCK:
                held.add(("appointmenttype", str(row["id"])))
        held |= {("client", str(row["id"])) for row in self.double.rows("contact") if row["is_customer"]}
        held |= {("patient", str(row["id"])) for row in self.double.rows("animal")}
        held |= {("appointment", str(row["id"])) for row in self.double.rows("appointment")}
        for doctor in (seed.LANG, seed.KELLER, seed.WEI):
            held |= {("planningrule", f"planning:{doctor}:closed"), ("planningrule", f"planning:{doctor}:{VISITS}")}
        held.add(("planningrule", f"planning:{seed.KELLER}:{OPERATIONS}"))
        return held

    async def count(self, kind: Kind, key: str) -> int:
        table, field = MARKED[kind]
        rows = self.double.carrying(table, field, key)
        return len({row["contact_id"] for row in rows} if kind == "client" else rows)

    def draft(self) -> AppointmentDraft:
        start = datetime(2028, 3, 1, 3, tzinfo=UTC) + timedelta(days=next(self._nights))
        return AppointmentDraft(
            client=str(seed.ALMA),
            patient=str(seed.PIP),
            appointment_type=str(seed.CONSULTATION),
            start=start,
            end=start + timedelta(minutes=30),
            resources=(str(seed.LANG), str(seed.ROOM_1)),
            description="[vetslot Direct Booking] Zebulon Quillfeather: limping",
        )

    def draft_elsewhere(self) -> AppointmentDraft:
        return replace(self.draft(), resources=(str(seed.WEI), str(seed.ROOM_2)))

    async def staff_book(self, start: datetime, end: datetime, resources: tuple[str, ...], words: str) -> str:
        minutes = (end - start) // timedelta(minutes=1)
        return self.double.book(start, minutes, [int(one) for one in resources], description=words)

    async def staff_move(self, pims_id: str, start: datetime, end: datetime) -> None:
        seconds = (end - start) // timedelta(seconds=1)
        self.double.change("appointment", pims_id, start_at=int(start.timestamp()), duration=seconds)

    async def staff_cancel(self, pims_id: str) -> None:
        self.double.change("appointment", pims_id, active=False)

    async def staff_delete(self, pims_id: str) -> None:
        self.double.act(f"delete/appointment/{pims_id}")

    async def order(self, fault: Fault, on: Literal["read", "write"]) -> None:
        self.double.order(fault, on, seconds=SLOW_SECONDS if fault == "slow" else RATE_LIMITED_SECONDS)

    async def calm(self) -> None:
        self.double.act("calm")


PEER = EzyVetPeer
