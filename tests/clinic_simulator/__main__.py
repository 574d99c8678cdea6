"""Run the clinic simulator: `python -m tests.clinic_simulator --dialect avimark --seed 1 --now 2026-11-23T08:00Z`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

import uvloop

from tests.clinic_simulator.dialects import DIALECTS
from tests.clinic_simulator.http import listen
from tests.clinic_simulator.seed import Size, fill
from tests.clinic_simulator.server import Clinic
from tests.clinic_simulator.store import Store


def main() -> None:
    """Seed the practice, say where it listens (the first line printed), and serve until told to stop."""
    asked = _arguments()
    dialect = DIALECTS[asked.dialect]
    store = Store(
        dialect,
        seed=asked.seed,
        now=asked.now.astimezone(UTC),
        zone=asked.zone,
        practice=asked.practice,
        name=asked.name,
    )
    fill(store, Size(clients=asked.clients, patients=asked.patients, weeks=asked.weeks, filled=asked.filled))
    if asked.lags:
        store.settings.read_lag = dialect.read_lag_seconds
        store.settings.write_lag = dialect.write_lag_seconds
    store.show_all()
    store.back_up("start")
    uvloop.run(_serve(Clinic(store, real_time=asked.real_time), asked.host, asked.port))


async def _serve(clinic: Clinic, host: str, port: int) -> None:
    try:
        server = await listen(clinic.answer, host, port)
    except OSError as error:
        sys.exit(f"The clinic simulator cannot listen on {host}:{port}: {error.strerror}. Choose another --port.")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(f"http://{host}:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - the one thing it says
    await stopped.wait()
    server.close()
    # Connections that are being kept open are nobody's loss.
    sys.stdout.flush()
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.clinic_simulator", description=__doc__)
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="cornerstone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--now", type=datetime.fromisoformat, required=True, help="where the virtual clock stands")
    parser.add_argument("--real-time", action="store_true", help="let the clock go on by itself")
    parser.add_argument("--lags", action="store_true", help="read and write as late as this system does")
    parser.add_argument("--zone", default="America/New_York")
    parser.add_argument("--practice", default="1234|1", help="the practice's identifier")
    parser.add_argument("--name", default="Lakeside Veterinary Clinic")
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument("--patients", type=int, default=90)
    parser.add_argument("--weeks", type=int, default=3, help="how far the schedule is filled")
    parser.add_argument("--filled", type=float, default=0.5, help="which share of it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
