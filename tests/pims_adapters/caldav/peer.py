"""The contract suite's peer of `caldav`: a Radicale server, and a line to it that can break."""

from __future__ import annotations

import itertools
import re
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from msgspec.structs import replace

from pims_adapters.contract import AppointmentDraft, Kind, PimsAdapter, RecordKind
from tests.pims_adapters.caldav.radicale import PASSWORD, USER, Line, Radicale, running_line, running_radicale
from tests.pims_adapters.peers import VISITOR, Fault, SystemPeer, Way

STAMP = "%Y%m%dT%H%M%SZ"
OURS = re.compile(r"^UID:(vetslot-[0-9a-f-]{36})\r?$", re.MULTILINE)
CALENDARS = ("dr-lee", "dr-okafor", "room-1", "room-2")


class CalDavPeer(SystemPeer):
    """Radicale with four calendars."""

    name = "caldav"
    writes_in_parts = True
    misfits = (
        {"url": "calendar.example.com"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http://[::1"},
        {"url": "http://user:secret@127.0.0.1/"},
        {"user": "a:b"},
        {"password": "a\nb"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../etc/passwd"},
        {"timeout_seconds": "0"},
        {"timeout_seconds": "soon"},
        {"timeout_seconds": "nan"},
        {"timeout_seconds": "inf"},
    )

    def __init__(self, radicale: Radicale, line: Line, nowhere: str) -> None:
        super().__init__()
        self.radicale = radicale
        self.line = line
        self.settings = {
            "url": f"{line.url}/",
            "user": USER,
            "password": PASSWORD,
            "timezone": "America/New_York",
            "rooms": "Room 1, Room 2",
        }
        self._nowhere = nowhere
        self._nights = itertools.count()
        self._names = itertools.count()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        with (
            tempfile.TemporaryDirectory(prefix="vetslot-radicale-") as folder,
            running_radicale(Path(folder)) as radicale,
            socket.socket() as reserved,
        ):
            reserved.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
            async with running_line(urlsplit(radicale.url).port or 0) as line:
                yield cls(radicale, line, f"http://127.0.0.1:{reserved.getsockname()[1]}/")

    def connect(self, way: Way = "well") -> PimsAdapter:
        settings = {
            "well": {},
            "impatient": {"timeout_seconds": "1"},
            "wrong_credential": {"password": "wrong"},
            "unreachable": {"url": self._nowhere},
        }
        return self.connect_by(self.settings | settings[way])

    async def held(self) -> set[tuple[RecordKind, str]]:
        records: set[tuple[RecordKind, str]] = {("practice", f"/{USER}/")}
        records |= {("resource", calendar) for calendar in CALENDARS}
        for file in self.radicale.files():
            text = file.read_text()
            found = OURS.search(text)
            pims_id = found.group(1) if found else f"{file.parent.name}/{file.name}"
            records.add(("blockoff" if "RRULE" in text or "VALUE=DATE:" in text else "appointment", pims_id))
        return records

    async def count(self, kind: Kind, key: str) -> int:
        """Count appointments, each of which stands in several calendars; a name met twice in one would be two."""
        assert kind == "appointment"
        copies = [file for file in self.radicale.files() if f"X-VETSLOT-KEY:{key}\n" in file.read_text()]
        each = {calendar: [file for file in copies if file.parent.name == calendar] for calendar in CALENDARS}
        return max(len(files) for files in each.values())

    def draft(self) -> AppointmentDraft:
        start = datetime(2028, 3, 1, 15, tzinfo=UTC) + timedelta(days=next(self._nights))
        return AppointmentDraft(
            client=None,
            patient=None,
            appointment_type="Wellness exam",
            start=start,
            end=start + timedelta(minutes=30),
            resources=("dr-lee", "room-1"),
            description="[vetslot Direct Booking] Limping",
            visitor=VISITOR,
        )

    def draft_elsewhere(self) -> AppointmentDraft:
        return replace(self.draft(), resources=("dr-okafor", "room-1"))

    async def staff_book(self, start: datetime, end: datetime, resources: tuple[str, ...], words: str) -> str:
        """Put it into the first calendar: an entry of staff's own stands in one."""
        return self.staff_enter(start, end, resources[0], words)

    def staff_enter(self, start: datetime, end: datetime, calendar: str, words: str) -> str:
        name = f"staff-{next(self._names)}.ics"
        lines = (f"DTSTART:{start:{STAMP}}", f"DTEND:{end:{STAMP}}", f"SUMMARY:{words}")
        return self.radicale.put_event(calendar, name, *lines)

    async def staff_move(self, pims_id: str, start: datetime, end: datetime) -> None:
        for calendar, name in self._places(pims_id):
            text = self.radicale.text(calendar, name) or ""
            text = re.sub(r"DTSTART:\S+", f"DTSTART:{start:{STAMP}}", text)
            self.radicale.put(calendar, name, re.sub(r"DTEND:\S+", f"DTEND:{end:{STAMP}}", text))

    async def staff_cancel(self, pims_id: str) -> None:
        for calendar, name in self._places(pims_id):
            text = re.sub(r"STATUS:\S+\r\n", "", self.radicale.text(calendar, name) or "")
            self.radicale.put(calendar, name, text.replace("END:VEVENT", "STATUS:CANCELLED\r\nEND:VEVENT"))

    async def staff_delete(self, pims_id: str) -> None:
        for calendar, name in self._places(pims_id):
            self.radicale.delete(calendar, name)

    async def order(self, fault: Fault, on: Literal["read", "write"]) -> None:
        self.line.orders[on] = fault

    async def calm(self) -> None:
        self.line.orders.clear()
        self.line.before_writes.clear()

    async def forget_cursors(self) -> bool:
        """Let the server lose its tokens: where nothing changed since, it knows the state by itself."""
        for calendar in CALENDARS:
            start = self.draft().start
            await self.staff_book(start, start + timedelta(minutes=5), (calendar,), "After the tokens")
        self.radicale.forget_tokens()
        return True

    def _places(self, pims_id: str) -> list[tuple[str, str]]:
        if "/" in pims_id:
            calendar, name = pims_id.split("/")
            return [(calendar, name)]
        name = f"{pims_id}.ics"
        return [(calendar, name) for calendar in CALENDARS if self.radicale.text(calendar, name) is not None]


PEER = CalDavPeer
