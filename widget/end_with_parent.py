"""Let a process end with the one that started it, even where that one is killed (Linux; elsewhere nothing happens)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def end_with_parent(parent: int, death_signal: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel for `death_signal` when the parent's thread that started us ends; end now if it has already.

    Safe between fork and exec: it only calls into libc. A change of account undoes it, so change first.
    """
    if sys.platform != "linux":
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent:
        os._exit(1)
