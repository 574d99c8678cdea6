"""The demo's processes: started together, watched, asked to stop together."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from widget.demo.state import REPOSITORY
from widget.embedded.process import last_lines, start_child

PATIENCE_AT_START = 90
PATIENCE_AT_STOP = 3.5


class DemoFailed(RuntimeError):
    """The demo cannot start or go on; the message says what happened and what to do."""


class Children:
    """Everything the demo has started and must end again."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._watched: list[Callable[[], str | None]] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program whose output goes to `logs/<name>.log`."""
        log = self._log(name)
        log.unlink(missing_ok=True)
        self._running[name] = start_child(
            command, folder=REPOSITORY, log=log, environment=self._environment | dict(environment)
        )

    def watch(self, ended: Callable[[], str | None]) -> None:
        """Watch something else too: `ended` returns what to say once it has ended."""
        self._watched.append(ended)

    def check(self) -> None:
        """Fail if anything has ended that should be running."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self._log(name)
                raise DemoFailed(
                    f"the {name} ended unexpectedly ({_how(process.returncode)}). "
                    f"The last lines of {log}:\n{last_lines(log)}"
                )
        for ended in self._watched:
            if words := ended():
                raise DemoFailed(words)

    def wait_until_answers(self, name: str, url: str) -> None:
        """Wait for the first answer without a server error."""
        deadline = time.monotonic() + PATIENCE_AT_START
        trouble = "no answer"
        while time.monotonic() < deadline:
            self.check()
            try:
                with urllib.request.urlopen(url, timeout=10):  # noqa: S310  # our own address
                    return
            except urllib.error.HTTPError as error:
                trouble = f"status {error.code}"
                error.close()
            except OSError as error:
                trouble = str(error)
            time.sleep(0.1)
        log = self._log(name)
        raise DemoFailed(
            f"the {name} does not answer at {url} ({trouble}). The last lines of {log}:\n{last_lines(log)}"
        )

    def stop(self) -> None:
        """Ask all at once, wait for all, kill who is left."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_AT_STOP
        for process in self._running.values():
            try:
                process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._logs / f"{name.replace(' ', '-')}.log"


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
