"""`make demo`: start everything on this machine, say where it is, and stop it all on Ctrl-C.

The same programs as in production (`serve`, `work`, `migrate`), beside a demo PIMS and a practice's website, each a
process of its own that speaks HTTP. PostgreSQL and Valkey come along unless DATABASE_URL and REDIS_URL name others.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import redis

from booking.db.migrate import MigrationRefused, migrate
from widget.demo.addresses import Addresses, show
from widget.demo.children import Children, DemoFailed
from widget.demo.riverside import set_up
from widget.demo.state import keep_ports, keep_secrets, open_state, state_folder
from widget.embedded import EmbeddedServerFailed, PostgresServer, ValkeyServer, server_home
from widget.settings import LAST_PORT, SettingRefused, Settings

SYNC_SECONDS = "5"


def run(environ: Mapping[str, str]) -> None:
    """Run the demo until Ctrl-C or SIGTERM."""
    for each in (signal.SIGINT, signal.SIGTERM):  # a shell that starts us in the background has SIGINT ignored
        signal.signal(each, _interrupt)
    began = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {line}", flush=True)

    try:
        with ExitStack() as running:
            children = _start(environ, running, progress)
            while True:
                children.check()
                time.sleep(0.2)
    except KeyboardInterrupt:
        print("Stopped. 'make demo' goes on where this ended, 'make demo-reset' starts afresh.", flush=True)
    except (DemoFailed, EmbeddedServerFailed, MigrationRefused, SettingRefused) as failed:
        sys.exit(f"make demo: {failed}")


def _start(environ: Mapping[str, str], running: ExitStack, progress: Callable[[str], None]) -> Children:
    folder = state_folder(environ)
    port = _port(environ, "PORT") or 8000
    host = environ.get("HOST") or "127.0.0.1"
    _must_be_free("PORT", host, port)
    logs = open_state(folder)
    secrets = keep_secrets(folder)
    ports = keep_ports(folder, host_page=_port(environ, "HOST_PAGE_PORT"), pims=_port(environ, "PIMS_PORT"))
    _must_be_free("HOST_PAGE_PORT", "127.0.0.1", ports.host_page)
    _must_be_free("PIMS_PORT", "127.0.0.1", ports.pims)

    children = Children(logs, environ)
    # Left last to first: our own programs end before the servers they talk to.
    stores = running.enter_context(ExitStack())
    running.callback(children.stop)
    running.enter_context(_signals_ignored_at_the_end())

    progress("Starting the demo PIMS")
    pims = ["-m", "pims_adapters.demo.clinic", "--port", str(ports.pims), "--state-file", str(folder / "pims.sqlite3")]
    children.start("demo PIMS", [sys.executable, *pims], {"DEMO_PIMS_KEY": secrets.pims_key})
    settings = _settings(environ, host, port, secrets.secret_key, _stores(environ, folder, stores, children, progress))
    progress("Bringing the database to the newest schema")
    asyncio.run(migrate(settings["DATABASE_URL"], progress=progress))

    progress("Starting the web server and the practice's website")
    public_url = Settings.from_environment(settings).public_url
    children.start("web server", [sys.executable, "-m", "widget", "serve"], settings)
    website = ["-m", "widget.demo.host_page", "--port", str(ports.host_page), "--public-url", public_url]
    children.start("website", [sys.executable, *website], {})

    addresses = Addresses.of(public_url, ports, secrets.pims_key)
    children.wait_until_answers("demo PIMS", addresses.pims)
    asyncio.run(
        set_up(
            database_url=settings["DATABASE_URL"],
            pims_url=addresses.pims,
            pims_key=secrets.pims_key,
            host_origins=addresses.host_origins,
            progress=progress,
        )
    )
    progress("Starting the worker")
    children.start("worker", [sys.executable, "-m", "widget", "work"], settings)
    children.wait_until_answers("website", addresses.host_page)
    local = f"http://127.0.0.1:{port}" if host == "0.0.0.0" else f"http://{host}:{port}"  # noqa: S104  # compared only
    children.wait_until_answers("web server", f"{local}/health")
    children.wait_until_answers("web server", f"{local}/book/riverside")
    progress("Ready")
    show(addresses, folder)
    return children


def _stores(
    environ: Mapping[str, str],
    folder: Path,
    running: ExitStack,
    children: Children,
    progress: Callable[[str], None],
) -> dict[str, str]:
    if (home := server_home(folder)) != folder:
        progress(f"Keeping the servers' data in {home}, as their account cannot enter {folder}")
    urls: dict[str, str] = {}
    servers: tuple[tuple[str, str, Callable[[Path], PostgresServer | ValkeyServer]], ...] = (
        ("DATABASE_URL", "PostgreSQL", PostgresServer),
        ("REDIS_URL", "Valkey", ValkeyServer),
    )
    for variable, name, create in servers:
        if environ.get(variable):
            progress(f"Using the {name} that {variable} names")
            urls[variable] = environ[variable]
            continue
        progress(f"Starting {name}")
        server = create(folder)
        running.callback(server.stop)
        urls[variable] = server.start()
        children.watch(partial(_ended, name, server))
    _must_answer(urls["REDIS_URL"])
    return urls


def _settings(
    environ: Mapping[str, str], host: str, port: int, secret_key: str, urls: Mapping[str, str]
) -> dict[str, str]:
    return {
        "SYNC_SECONDS": SYNC_SECONDS,
        "SECRET_KEY": secret_key,
        **environ,
        **urls,
        "HOST": host,
        "PORT": str(port),
        "DEV_MAILBOX": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _port(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "")
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= LAST_PORT):
        raise SettingRefused(f"{name} is {text!r}: it must be a whole number from 1 to {LAST_PORT}.")
    return int(text) if text else None


def _must_be_free(variable: str, host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise DemoFailed(
                f"port {port} cannot be used ({os.strerror(error.errno or 0)}): "
                f"stop what is running there, or choose another port, as in 'make demo {variable}={port + 1}'."
            ) from None


def _must_answer(redis_url: str) -> None:
    try:
        with redis.Redis.from_url(redis_url, socket_connect_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise DemoFailed(f"the server that REDIS_URL names cannot be reached: {error}") from None


def _ended(name: str, server: PostgresServer | ValkeyServer) -> str | None:
    return (
        f"{name} ended unexpectedly. The last lines of {server.log}:\n{server.last_words()}" if server.ended else None
    )


@contextmanager
def _signals_ignored_at_the_end() -> Iterator[None]:
    """Let nobody interrupt the stopping: a second Ctrl-C would leave processes behind."""
    try:
        yield
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
