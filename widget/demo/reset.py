"""`make demo-reset`: forget what the demo has kept. Servers of the operator's own are never touched."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from widget.demo.state import forget, state_folder
from widget.embedded import EmbeddedServerFailed, server_home
from widget.embedded.folder import locked


def reset(environ: Mapping[str, str]) -> None:
    """Delete the demo's state, unless a demo is running on it or it lives on the operator's servers."""
    given = [name for name in ("DATABASE_URL", "REDIS_URL") if environ.get(name)]
    if given:
        sys.exit(
            f"make demo-reset: what {' and '.join(given)} names is your own and not ours to empty: "
            "empty it yourself (dropdb and createdb; FLUSHDB) or unset the variable, then repeat."
        )
    folder = state_folder(environ)
    data = server_home(folder) / "postgres"
    try:
        if data.exists():
            with locked(data, "PostgreSQL"):
                pass
    except EmbeddedServerFailed:
        sys.exit(f"make demo-reset: a demo is running on {folder}: stop it first (Ctrl-C), then repeat.")
    forget(folder)
    print(f"Forgot everything the demo had kept in {folder}.", flush=True)
