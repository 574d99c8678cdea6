"""The demo as `make demo` runs it, and a real browser in front of it: once for all user stories."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Browser, Page, async_playwright

from widget.demo.addresses import Addresses
from widget.embedded import remove_state
from widget.embedded.process import free_port

ROOT = Path(__file__).parents[2]
START_WITHIN_SECONDS = 180
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
GIVEN_BY_THE_OPERATOR = {"DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "HOST_PAGE_PORT", "PIMS_PORT"}


@pytest.fixture(scope="session")
def demo(state: Path) -> Iterator[Addresses]:
    """Run the demo and return where everything in it is."""
    folder = state / "demo"
    folder.mkdir()
    written, output = folder / "addresses.json", folder / "output.txt"
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN_BY_THE_OPERATOR}
    with output.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "widget", "demo"],
            cwd=ROOT,
            env=environment | {"VETSLOT_STATE": str(folder), "PORT": str(free_port()), "HOST": "127.0.0.1"},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_WITHIN_SECONDS
        while not written.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The demo did not start:\n{output.read_text()}")
            time.sleep(0.1)
        yield msgspec.json.decode(written.read_bytes(), type=Addresses)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        remove_state(folder)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return a real Chromium or Chrome: the one CHROMIUM names, else what is on PATH."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(
            "The tests need a browser: run 'make test', which finds or installs one, or set CHROMIUM to its path."
        )
    # Root may not use Chromium's sandbox, and containers have little shared memory.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """Return a page of a browser that has been nowhere yet."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(15_000)
    yield await context.new_page()
    await context.close()
