"""The real server in a process of its own, for what an in-process client cannot show."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.widget.oak_lane import SECRET_KEY
from widget.embedded.process import free_port

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def served(database_url: str, redis_url: str, **settings: str) -> AsyncIterator[str]:
    """Serve as an administrator would; the address. Anybody behind 127.0.0.1 may say where they come from."""
    port = free_port(None)
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY.decode(),
        "PORT": str(port),
        "PUBLIC_URL": address,
        "DEV_MAILBOX": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "LOG_LEVEL": "error",
        **settings,
    }
    command = [sys.executable, "-m", "widget", "serve"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: ASYNC220 - does not wait
    try:
        await _answers(address)
        yield address
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


async def _answers(address: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{address}/ready", timeout=5)).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
