"""The command line: `python -m widget serve|work|migrate|demo|demo-reset`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from multiprocessing import parent_process
from typing import Any

from booking.db.migrate import MigrationRefused, migrate
from widget.end_with_parent import end_with_parent
from widget.logs import tell
from widget.settings import SettingRefused, Settings, database_url

STOP_WITHIN_SECONDS = 4


def serve(environ: Mapping[str, str]) -> None:
    """Answer requests until SIGTERM: one process a core."""
    from granian import Granian  # noqa: PLC0415  # only this command needs a web server
    from granian.constants import Interfaces  # noqa: PLC0415

    settings = Settings.from_environment(environ)
    Granian(
        "widget.app:create_app",
        interface=Interfaces.ASGI,
        address=settings.host,
        port=settings.port,
        workers=os.cpu_count() or 1,
        websockets=False,
        log_access=False,  # addresses of pages may name people's bookings
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_WITHIN_SECONDS,
    ).serve(target_loader=_load_application, wrap_loader=False)


def work(environ: Mapping[str, str]) -> None:
    """Sync, write back and send messages until SIGTERM; as many of these may run as you like."""
    from booking.worker import work as work_forever  # noqa: PLC0415  # only this command needs it
    from widget.state import site_of  # noqa: PLC0415  # likewise

    settings = Settings.from_environment(environ)
    tell(settings.log_level)
    _run_until_told(
        work_forever(
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            site=site_of(settings),
            smtp_url=settings.smtp_url,
            mail_from=settings.mail_from,
            dev_mailbox=settings.dev_mailbox,
            sync_every=settings.sync_every,
        )
    )


def migrate_database(environ: Mapping[str, str]) -> None:
    """Bring the database to this release's schema; safe to repeat, and while the previous release runs."""
    applied = asyncio.run(migrate(database_url(environ), progress=print))
    print("Applied." if applied else "The database is up to date.")


def demo(environ: Mapping[str, str]) -> None:
    """Run everything on this machine, with a practice to look at."""
    from widget.demo.run import run  # noqa: PLC0415  # production never imports the demo

    run(environ)


def demo_reset(environ: Mapping[str, str]) -> None:
    """Forget what the demo has kept and run it afresh."""
    from widget.demo.reset import reset  # noqa: PLC0415
    from widget.demo.run import run  # noqa: PLC0415

    reset(environ)
    run(environ)


COMMANDS: Mapping[str, Callable[[Mapping[str, str]], None]] = {
    "serve": serve,
    "work": work,
    "migrate": migrate_database,
    "demo": demo,
    "demo-reset": demo_reset,
}


def main(arguments: list[str]) -> int:
    """Run one command; what an administrator can mend ends in one sentence, not in a traceback."""
    parser = argparse.ArgumentParser(prog="python -m widget", description="vetslot: booking for veterinary practices.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=(command.__doc__ or "").splitlines()[0])
    chosen = parser.parse_args(arguments).command
    try:
        COMMANDS[chosen](os.environ)
    except (SettingRefused, MigrationRefused) as refused:
        print(f"vetslot {chosen}: {refused}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def _load_application() -> Callable[..., Any]:
    """Run in each worker process: a killed `serve` must not leave workers that hold its port."""
    from granian.utils.proxies import wrap_asgi_with_proxy_headers  # noqa: PLC0415  # only a web server needs it

    from widget.app import create_app  # noqa: PLC0415  # likewise

    if parent := parent_process():
        end_with_parent(parent.pid or 0)
    settings = Settings.from_environment(os.environ)
    tell(settings.log_level)
    # What is loaded now stays: the collector need not walk it, nor come after every 700 objects of a long answer.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    application: Callable[..., Any] = wrap_asgi_with_proxy_headers(create_app(settings), settings.trusted_proxies)
    return application


def _run_until_told(work: Coroutine[Any, Any, None]) -> None:
    async def until_told() -> None:
        task = asyncio.ensure_future(work)
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    try:
        import uvloop  # noqa: PLC0415  # not made for every platform
    except ImportError:
        asyncio.run(until_told())
    else:
        uvloop.run(until_told())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
