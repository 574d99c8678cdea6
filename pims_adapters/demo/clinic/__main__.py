"""Run the demo PIMS: `python -m pims_adapters.demo.clinic --port 8100 --state-file clinic.sqlite3`."""

import argparse
import os
import signal
import sys
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pims_adapters.demo.clinic.seed import records
from pims_adapters.demo.clinic.seed_practice import ZONE
from pims_adapters.demo.clinic.server import Clinic, open_server
from pims_adapters.demo.clinic.store import Store

KEY_VARIABLE = "DEMO_PIMS_KEY"
DEFAULT_KEY = "riverside-demo-key"


def main() -> None:
    """Open or seed the practice, say where it listens (the first line printed), and serve until told to stop."""
    asked = _arguments()
    if asked.state_file is not None:
        asked.state_file.parent.mkdir(parents=True, exist_ok=True)
    store = Store(asked.state_file)
    if not store.seeded:
        start = asked.seed_date or datetime.now(ZoneInfo(ZONE)).date()
        store.fill(records(start, asked.seed))
    clinic = Clinic(store, os.environ.get(KEY_VARIABLE, DEFAULT_KEY), asked.write_seconds)
    try:
        server = open_server(clinic, asked.host, asked.port)
    except OSError as error:
        sys.exit(f"The demo PIMS cannot listen on {asked.host}:{asked.port}: {error.strerror}. Choose another --port.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"http://{asked.host}:{server.server_port}", flush=True)  # noqa: T201 - the one thing it says
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        store.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pims_adapters.demo.clinic", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--state-file", type=Path, help="SQLite file to keep the records in; without it, in memory")
    parser.add_argument("--seed-date", type=date.fromisoformat, help="the practice's today when first filled")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write-seconds", type=float, default=0, help="how long the PIMS takes over each creation")
    return parser.parse_args()


if __name__ == "__main__":
    main()
