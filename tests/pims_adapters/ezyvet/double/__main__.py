"""Run the double: `python -m tests.pims_adapters.ezyvet.double --now 2026-11-22T01:00:00+00:00`."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime

from tests.pims_adapters.ezyvet.double.control import Double
from tests.pims_adapters.ezyvet.double.seed import filled
from tests.pims_adapters.ezyvet.double.server import open_server


def main() -> None:
    """Seed the site, say where it listens (the first line printed), and serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--now", type=datetime.fromisoformat, help="what its clock shows when it starts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", action="store_true", help="count appointments in minutes, not in seconds")
    asked = parser.parse_args()
    store = filled(asked.now or datetime.now(UTC), asked.seed, minutes=asked.minutes)
    server = open_server(Double(store), asked.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - the one thing it says
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
