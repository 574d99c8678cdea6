"""The agent's folder: one agent at a time uses it, and it outlives a crash."""

from __future__ import annotations

import os
import sys
from io import FileIO
from pathlib import Path

LONGEST_INSTANCE = 100


class FolderTaken(Exception):
    """Another agent uses this folder."""


class Folder:
    """A folder that is locked while this process lives, however it ends."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._lock = FileIO(path / "lock", "a")
        try:
            _lock(self._lock.fileno())
        except OSError:
            self._lock.close()
            raise FolderTaken(f"Another agent uses the folder {path}; each needs its own --folder.") from None

    def take_over(self, instance: str) -> str | None:
        """Note who uses the folder now; the instance that used it before, which is gone, as the folder was free."""
        file = self.path / "instance"
        before = file.read_text(encoding="ascii") if file.exists() else ""
        beside = file.with_suffix(".new")
        beside.write_text(instance, encoding="ascii")
        beside.replace(file)
        return before if before.isalnum() and len(before) <= LONGEST_INSTANCE else None

    @property
    def journal(self) -> Path:
        """Return where the journal of writes is."""
        return self.path / "journal.jsonl"

    def close(self) -> None:
        """Let another agent use it."""
        self._lock.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sync_folder(path: Path) -> None:
    """Make a rename durable, where the system can."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
