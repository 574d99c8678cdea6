"""The demo PIMS as a test meets it: a process of its own, its staff at their screens, its faults on request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.exchange import Exchange

SEED_DATE = date(2026, 11, 22)
KEY = "riverside-demo-key"
ROOT = Path(__file__).parent.parent


def opened(settings: dict[str, str]) -> DemoAdapter:
    """Open an adapter, all of whose abilities its type tells."""
    return DemoAdapter(Exchange.of(settings))


class DemoClinic:
    """A running demo PIMS. `settings` open an adapter on it; the methods ask and act past the adapter."""

    def __init__(self, process: subprocess.Popen[str], url: str, state_file: Path | None) -> None:
        self.url = url
        self.state_file = state_file
        self.settings = {"url": url, "key": KEY}
        self._process = process
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20, trust_env=False)

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        return self._http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        return self._http.post(path, json=body).raise_for_status().json()

    def page(self, path: str = "/") -> str:
        return self._http.get(path).raise_for_status().text

    def with_key(self, kind: str, key: str) -> list[dict[str, Any]]:
        """Return the records of a kind (`clients`, …) that carry an outside key."""
        found: list[dict[str, Any]] = self.get(f"/v1/{kind}", external_key=key)["items"]
        return found

    def order_fault(self, on: str, fault: str, *, seconds: float = 10, times: int = 1) -> None:
        """Let the next calls go wrong; the README of the demo PIMS lists how."""
        self.post("/faults", on=on, fault=fault, seconds=seconds, times=times)

    def reset_faults(self) -> None:
        self._http.delete("/faults").raise_for_status()

    def kill(self) -> None:
        """End the process as a power cut would."""
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running_clinic(
    state_file: Path | None = None, *, seed_date: date = SEED_DATE, port: int = 0, write_seconds: float = 0
) -> Iterator[DemoClinic]:
    """Start a demo PIMS, seeded unless the state file already holds one, and stop it in the end."""
    command = [sys.executable, "-m", "pims_adapters.demo.clinic", f"--port={port}", f"--seed-date={seed_date}"]
    command += [f"--write-seconds={write_seconds}"]
    if state_file is not None:
        command += [f"--state-file={state_file}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    clinic = DemoClinic(process, url, state_file)
    assert url, "The demo PIMS did not start; its error stands above."
    try:
        yield clinic
    finally:
        clinic.stop()
