"""The ezyVet double as a test meets it: a process of its own, its staff at their screens, its faults on request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from pims_adapters.ezyvet.adapter import EzyVetAdapter
from pims_adapters.ezyvet.line import Line
from pims_adapters.ezyvet.settings import read_settings
from tests.pims_adapters.ezyvet.double.store import uid_of
from tests.pims_adapters.ezyvet.double.vendor import CREDENTIALS

ROOT = Path(__file__).parent.parent
SITE_UID = "site_Willow0000000000000001"


def opened(settings: dict[str, str]) -> EzyVetAdapter:
    """Open an adapter, all of whose abilities its type tells."""
    return EzyVetAdapter(Line(read_settings(settings)))


class EzyVetDouble:
    """A running double. `settings` open an adapter on it; the methods ask and act past the adapter."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self.settings = {
            "url": url,
            "site_uid": SITE_UID,
            "ownership_id": "1",
            "endpoint_calls_per_minute": "100000",
            "calls_per_minute": "100000",
            **{name: value for name, value in CREDENTIALS.items() if name != "grant_type"},
        }
        self._process = process
        self._http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def act(self, action: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Do something below `/double/`; the double's README lists what."""
        return self._http.post(f"/double/{action}", json=body).raise_for_status().json()

    def rows(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.act(f"rows/{table}")
        return found

    def carrying(self, table: str, field: str, key: str) -> list[dict[str, Any]]:
        """Return the rows that carry our key in a text."""
        return [row for row in self.rows(table) if f"| Ref: {key}" == (row[field] or "")[-len(f"| Ref: {key}") :]]

    def change(self, table: str, number: int | str, **values: object) -> None:
        self.act(f"rows/{table}/{number}", **values)

    def book(self, start: datetime, minutes: int, columns: list[int], **more: object) -> str:
        """Put an entry on the calendar, as staff do; its number."""
        made = self.act("appointments", start=start.isoformat(), minutes=minutes, columns=columns, kind=1, **more)
        return str(made["id"])

    def order(self, fault: str, on: str, *, times: int = 1, seconds: float = 30) -> None:
        """Let the next calls (`read`, `write`, `token`, or to a path) go wrong."""
        self.act("faults", fault=fault, on=on, times=times, seconds=seconds)

    def asked(self) -> list[str]:
        """Return what was asked of it since this was last asked."""
        told: list[str] = self.act("asked")
        return told

    def uid(self, table: str, number: int) -> str:
        return uid_of(table, number)

    def stop(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running_double(now: datetime | None = None, *, minutes: bool = False) -> Iterator[EzyVetDouble]:
    """Start a double, and stop it in the end; `now` is what its clock shows when it starts."""
    command = [sys.executable, "-m", "tests.pims_adapters.ezyvet.double"]
    command += [f"--now={now.isoformat()}"] if now is not None else []
    command += ["--minutes"] if minutes else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, "The ezyVet double did not start; its error stands above."
    double = EzyVetDouble(process, url)
    try:
        yield double
    finally:
        double.stop()
