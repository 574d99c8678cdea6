"""The embedded servers: warm restarts keep data, nothing outlives its parent, root steps down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from widget.embedded import (
    EmbeddedServerFailed,
    PostgresServer,
    ValkeyServer,
    embedded_postgres,
    embedded_valkey,
    remove_state,
    server_home,
)
from widget.embedded.process import is_running

PARENT = """
import sys, time
from pathlib import Path
from widget.embedded import PostgresServer, ValkeyServer
for server in (PostgresServer(Path(sys.argv[1])), ValkeyServer(Path(sys.argv[1]))):
    server.start()
    print(server.pid, server.url, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def own_state(state: Path) -> Iterator[Path]:
    """Return a folder for servers that this test starts itself."""
    folder = state / "own"
    yield folder
    remove_state(folder)


async def answer(url: str, statement: str) -> object:
    """Return one value from a server."""
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


async def test_a_warm_restart_keeps_its_data_and_takes_less_than_a_second(own_state: Path) -> None:
    with embedded_postgres(own_state) as url:
        await answer(url, "CREATE TABLE warm AS SELECT 'here' AS word")
    began = time.monotonic()
    with embedded_postgres(own_state) as again:
        took = time.monotonic() - began
        assert again == url
        assert await answer(again, "SELECT word FROM warm") == "here"
    assert took < 1


async def test_the_application_is_not_a_superuser(postgres: PostgresServer) -> None:
    assert (
        await answer(postgres.url, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        is False
    )
    assert await answer(postgres.url, "SHOW fsync") == "off"


async def test_a_wrong_password_is_refused(postgres: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url.replace("vetslot:", "vetslot:not-"))


def test_valkey_asks_for_its_password(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        assert client.ping()
    port = int(valkey.url.rsplit(":", 1)[1].removesuffix("/0"))
    stranger = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_nothing_is_left_of_a_killed_parent(own_state: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(own_state)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as said:
        pids = [int(said.readline().split()[0]) for _server in range(2)]
    assert is_running(pids[0], "postgres")
    assert is_running(pids[1], "valkey-server")
    parent.kill()
    parent.wait()
    # No time is given to the old servers: the next start has to cope.
    with embedded_postgres(own_state), embedded_valkey(own_state):
        assert not is_running(pids[0], "postgres")
        assert not is_running(pids[1], "valkey-server")


async def test_what_was_committed_survives_a_killed_server(own_state: Path) -> None:
    server = PostgresServer(own_state)
    url = server.start()
    await answer(url, "CREATE TABLE kept AS SELECT 'here' AS word")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with embedded_postgres(own_state) as again:
        assert await answer(again, "SELECT word FROM kept") == "here"


def test_a_stale_pid_file_does_not_matter(own_state: Path) -> None:
    with embedded_postgres(own_state):
        pass
    # Our own number: a process that lives, and is no server.
    stale = server_home(own_state) / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n/nowhere\n")
    with embedded_postgres(own_state):
        pass


def test_a_second_start_on_the_same_folder_is_refused(own_state: Path) -> None:
    with (
        embedded_postgres(own_state),
        pytest.raises(EmbeddedServerFailed, match="PostgreSQL is already running on"),
        embedded_postgres(own_state),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_server_runs_as_root(postgres: PostgresServer, valkey: ValkeyServer) -> None:
    for server in (postgres, valkey):
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert b"password" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_a_state_folder_closed_to_the_servers_account_is_replaced(state: Path) -> None:
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / "state"
    home = server_home(folder)
    # Only root steps down to an account that may find doors closed.
    assert (home == folder) == (os.geteuid() != 0)
    with embedded_postgres(folder), embedded_valkey(folder):
        assert (home / "postgres" / "data").is_dir()
    assert server_home(folder) == home
    remove_state(folder)
    assert not home.exists()
