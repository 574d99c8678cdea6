"""Which account runs the embedded servers: PostgreSQL refuses to run as root, so root steps down."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from msgspec import Struct

from widget.embedded.failure import EmbeddedServerFailed

PREFERRED_ACCOUNTS = ("postgres", "nobody")


class Account(Struct, frozen=True):
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Return whom to become, or None to stay who we are."""
    if os.geteuid() != 0:
        return None
    for name in PREFERRED_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerFailed(
        "PostgreSQL refuses to run as root and there is no account 'postgres' or 'nobody' to run it as: "
        "run this as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of your own."
    )


def can_enter(path: Path, account: Account | None) -> bool:
    """Tell whether the account can enter this folder or run this file; the kernel answers, so ACLs count too."""
    if account is None:
        return os.access(path, os.X_OK)
    asked = subprocess.run(
        ["test", "-x", str(path)],  # noqa: S607  # a shell's own word, wherever it lives
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return asked.returncode == 0


def give(path: Path, account: Account | None) -> None:
    """Hand a file or folder to the account that will use it."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
