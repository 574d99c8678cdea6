"""Where an embedded server keeps its data, and the lock that keeps two starts from sharing one folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from widget.embedded.account import Account, can_enter, server_account
from widget.embedded.failure import EmbeddedServerFailed

OUTSIDE = Path("/var/lib/vetslot")
"""Where data goes when the server's account cannot reach the state folder (a repository under /root)."""

SERVER_FOLDERS = ("postgres", "valkey", "programs")
"""All that is ever made in such a folder."""


def server_home(state: Path) -> Path:
    """Return the folder the servers of this state use: the state folder itself wherever their account can enter it."""
    state = state.absolute()
    create_folder(state)
    account = server_account()
    if can_enter(state, account):
        return state
    home = _outside(state)
    try:
        create_folder(home)
    except OSError as error:
        raise _unreachable(state, account) from error
    if not can_enter(home, account):
        raise _unreachable(home, account)
    return home


def remove_state(state: Path) -> None:
    """Delete everything the servers of this state have kept, wherever it is, and nothing else that may be there."""
    for home in (state.absolute(), _outside(state.absolute())):
        for folder in SERVER_FOLDERS:
            if (home / folder).exists():
                shutil.rmtree(home / folder)
        if home.exists() and not any(home.iterdir()):
            home.rmdir()


def create_folder(folder: Path) -> None:
    """Create a folder and its missing parents, to be entered by everyone whatever the umask says."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o755)


@contextmanager
def locked(folder: Path, server: str) -> Iterator[None]:
    """Hold the folder for this process; the kernel lets go when the process ends, however it ends."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedServerFailed(
                f"{server} is already running on {folder}: stop the other demo or test run first, "
                "or set VETSLOT_STATE to another folder."
            ) from None
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _outside(state: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:10]
    return OUTSIDE / f"{state.name}-{digest}"


def _unreachable(folder: Path, account: Account | None) -> EmbeddedServerFailed:
    name = account.name if account else "this user"
    return EmbeddedServerFailed(
        f"The account '{name}', which runs the servers, cannot enter {folder}: "
        "set VETSLOT_STATE to a folder that every account may enter."
    )
