"""Start and end child processes that must not outlive us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from widget.embedded.account import Account
from widget.embedded.failure import EmbeddedServerFailed
from widget.end_with_parent import end_with_parent

NOT_FOR_SERVERS = ("PG", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SMTP_URL")


def start_child(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program that gets `death_signal` when the thread that started it ends (Linux), and not our Ctrl-C.

    Call it from the main thread: it is the thread's end, not the process's, that the kernel watches.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=server_environment() if environment is None else environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=partial(end_with_parent, os.getpid(), death_signal),  # noqa: PLW1509  # made for this place
        )
    assert process.stdin is not None  # noqa: S101  # a pipe was asked for
    with process.stdin as pipe:
        pipe.write(stdin.encode())
    return process


def stop_child(process: subprocess.Popen[bytes], signals: Sequence[signal.Signals], *, patience: float) -> None:
    """Ask with each signal in turn, `patience` seconds apart, and kill in the end."""
    for each in (*signals, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(each)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return


def end_orphan(pid_file: Path, program: str, *, patience: float = 10) -> None:
    """End a server whose parent is gone; call it while holding the folder's lock. A stale or foreign pid is ignored."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + patience
    if is_running(pid, program):
        os.kill(pid, signal.SIGINT)
    while is_running(pid, program):
        if time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"A left-over {program} (process {pid}) does not stop: end it and start again.")
        time.sleep(0.02)
    pid_file.unlink(missing_ok=True)


def is_running(pid: int, program: str) -> bool:
    """Tell whether that process exists and is that program: process numbers are used again."""
    try:
        os.kill(pid, 0)
        words = Path(f"/proc/{pid}/cmdline").read_bytes() if sys.platform == "linux" else _command_of(pid)
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return False
    return program.encode() in words


def free_port(wanted: int | None = None) -> int:
    """Return the wanted port if nobody listens there, else one the kernel finds free."""
    for port in (wanted, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise EmbeddedServerFailed("This machine has no free port on 127.0.0.1.")


def last_lines(log: Path, count: int = 10) -> str:
    """Return the end of a log, for the message that says a process has failed."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(lines[-count:]) or "(none)"


def server_environment() -> dict[str, str]:
    """Our environment without what only concerns our own programs, in a locale that every machine has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_SERVERS)}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _command_of(pid: int) -> bytes:
    ps = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, check=False).stdout
