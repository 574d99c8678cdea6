"""The clinic simulator as a test meets it: a process of its own, its staff at their screens, its faults by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec

from pims_adapters._agent.protocol import AnyRow, Appointment, Client, Patient, Row, Staff, Type

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 23, 13, tzinfo=UTC)
"""Where the clock stands at first: a Monday, 8:00 in New York."""

Dialect = Literal["cornerstone", "avimark"]


class Simulator:
    """A running clinic simulator."""

    def __init__(self, process: subprocess.Popen[str], url: str, dialect: Dialect) -> None:
        self.url = url
        self.dialect = dialect
        self._process = process
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    # Staff at their screens

    def staff(self, action: str, /, **told: object) -> str:
        """Do something at a screen (`tests/clinic_simulator/staff.py` lists what); the record's identifier."""
        done: str = self._post(f"/staff/{action}", told)["id"]
        return done

    def book(self, starts: datetime, minutes: int = 30, **told: object) -> str:
        return self.staff("book", starts=starts, minutes=minutes, **told)

    def move(self, id_: str, **told: object) -> str:
        return self.staff("move", id=id_, **told)

    def cancel(self, id_: str) -> str:
        return self.staff("cancel", id=id_)

    def no_show(self, id_: str) -> str:
        return self.staff("no_show", id=id_)

    def delete(self, id_: str, table: str = "appointment") -> str:
        """Delete a record as this system does: AVImark without a word."""
        return self.staff("delete", id=id_, table=table)

    def block_off(self, starts: datetime, minutes: int, **told: object) -> str:
        return self.staff("block_off", starts=starts, minutes=minutes, **told)

    def close_day(self, day: date) -> str:
        return self.staff("close_day", first=day)

    def mark_deceased(self, patient: str) -> str:
        return self.staff("mark_deceased", id=patient)

    # Its clock, its faults, its backups

    @property
    def now(self) -> datetime:
        return msgspec.convert(self._get("/control/now")["now"], datetime)

    def advance(self, seconds: float = 0, *, to: datetime | None = None, **delta: float) -> datetime:
        """Move the virtual clock on (`advance(minutes=30)`), or to an instant."""
        body = {"to": to} if to is not None else {"seconds": seconds + timedelta(**delta).total_seconds()}
        return msgspec.convert(self._post("/control/advance", body)["now"], datetime)

    def order(self, fault: str, **details: object) -> str | None:
        """Order a fault by its name, for calls to come or now; the README of the simulator lists them."""
        done: str | None = self._post("/control/faults", {"fault": fault, **details})["done"]
        return done

    def reset_faults(self) -> None:
        self._http.delete("/control/faults").raise_for_status()

    def settings(self, **wanted: object) -> None:
        """Change how it behaves without a fault: `read_lag`, `write_lag`, `writes`, `refuses_taken`."""
        self._post("/control/settings", wanted)

    def back_up(self, name: str) -> None:
        self._post("/control/backups", {"name": name})

    # What is inside

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get("/control/state")
        return found

    def rows(self, table: str) -> list[AnyRow]:
        """Return every record of a table as staff see it."""
        return msgspec.convert(self.state()["tables"][table], list[AnyRow])

    def appointments(self) -> list[Appointment]:
        return [row for row in self.rows("appointment") if isinstance(row, Appointment)]

    def clients(self) -> list[Client]:
        return [row for row in self.rows("client") if isinstance(row, Client)]

    def patients(self) -> list[Patient]:
        return [row for row in self.rows("patient") if isinstance(row, Patient)]

    def providers(self) -> list[Staff]:
        titles = ("Veterinarian", "Doctor")
        return [row for row in self.rows("staff") if isinstance(row, Staff) and row.title in titles]

    def types(self) -> list[Type]:
        return [row for row in self.rows("type") if isinstance(row, Type)]

    def with_marker(self, marker: str, table: str = "appointment") -> list[AnyRow]:
        """Return the records of a table whose notes carry a marker."""
        return [row for row in self.rows(table) if marker in getattr(row, "notes", "")]

    def trace(self, after: int = 0) -> list[dict[str, Any]]:
        """Return what happened: staff's actions, the agent's writes, faults that struck."""
        found: list[dict[str, Any]] = self._get(f"/control/trace?after={after}")["lines"]
        return found

    def digest(self) -> str:
        """Return one value for everything that happened: the same seed and requests give the same."""
        found: str = self._get("/control/trace?after=1000000000")["digest"]
        return found

    # The agent's face, for tests of the simulator itself

    def ask(self, call: str, **query: object) -> httpx.Response:
        return self._http.get(f"/agent/{call}", params={name: str(value) for name, value in query.items()})

    def find_clients(self, **wanted: str) -> httpx.Response:
        return self._http.post("/agent/find_clients", json=wanted)

    def write(self, call: str, body: Row | object) -> httpx.Response:
        return self._http.post(f"/agent/{call}", content=msgspec.json.encode(body))

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self._http.get(path).raise_for_status().json()

    def _post(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        answer = self._http.post(path, content=msgspec.json.encode(body))
        assert answer.is_success, f"{path} was refused: {answer.text}"
        return answer.json()

    def cpu_seconds(self) -> float:
        """Return how long its process has computed."""
        found: float = self._get("/control/cpu")["seconds"]
        return found

    def stop(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running_simulator(
    dialect: Dialect = "cornerstone", *, seed: int = 1, now: datetime = NOW, lags: bool = False, options: str = ""
) -> Iterator[Simulator]:
    """Start a clinic simulator, and stop it in the end. `lags`: it reads and writes as late as that system does."""
    command = [sys.executable, "-m", "tests.clinic_simulator", f"--dialect={dialect}", f"--seed={seed}"]
    command += [f"--now={now.isoformat()}", *(["--lags"] if lags else []), *options.split()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, "The clinic simulator did not start; its error stands above."
    simulator = Simulator(process, url, dialect)
    try:
        yield simulator
    finally:
        simulator.stop()
