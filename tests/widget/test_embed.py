"""The embed script in a real browser, on another origin's page that allows as little as our documentation asks for."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, ElementHandle, Frame, Page, async_playwright

from booking.db.pool import connect
from tests.copies import copy_of
from tests.widget.host_page import website
from tests.widget.oak_lane import SECRET_KEY, open_oak_lane
from widget.embedded import PostgresServer, ValkeyServer

SCRIPT = Path("widget/embed/widget.js").read_bytes()
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
LINK = '<a href="{booking}/book/oak-lane">Book online</a>'
INLINE = f'<vet-booking practice="oak-lane" source="website">{LINK}</vet-booking>'
ELEMENTS = {
    "/": INLINE,
    "/two": INLINE + INLINE,
    "/button": '<vet-booking practice="oak-lane" mode="button" label="Make a date" color="#ffd400"></vet-booking>',
    "/floating": '<vet-booking practice="oak-lane" mode="floating" lang="fr"></vet-booking>',
    "/unnamed": f"<vet-booking>{LINK}</vet-booking>",
    "/late": "",
}
LISTEN = """() => {
  window.heard = [];
  for (const name of ["open", "booked", "hacked"])
    addEventListener(`vet-booking:${name}`, (event) => heard.push([event.type, event.target.localName, event.detail]));
}"""


@dataclass(frozen=True)
class Sites:
    """Where we are, and where the practice's own website is."""

    booking: str
    website: str


@pytest.fixture(scope="module")
async def sites(postgres: PostgresServer, migrated_template: str, valkey: ValkeyServer) -> AsyncIterator[Sites]:
    """Return both, running, with a practice that lets its website show its booking pages."""
    name = f"embed_{uuid4().hex}"
    await _run(postgres.url, copy_of(migrated_template, name))
    url = f"{postgres.url.rsplit('/', 1)[0]}/{name}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    booking = f"http://localhost:{port}"
    elements = {path: element.format(booking=booking) for path, element in ELEMENTS.items()}
    with website(booking, elements) as host:
        pool = await connect(url)
        await open_oak_lane(pool, allowed_origins=(host,))
        await pool.close()
        settings = {"DATABASE_URL": url, "REDIS_URL": valkey.url, "PORT": str(port), "SECRET_KEY": SECRET_KEY.decode()}
        with served(booking, settings):
            yield Sites(booking, host)
    await _run(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail("These tests need a browser: install Chromium, or name one as in CHROMIUM=/path/to/chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """Return an empty page; whatever the browser complains of by the end of the test fails it."""
    context = await chromium.new_context(viewport={"width": 800, "height": 900})
    page = await context.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.location["url"]:
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert not complaints


async def shown_frame(page: Page, nth: int = 0) -> tuple[ElementHandle, Frame]:
    """Wait until the element shows its frame, sized."""
    frame = page.locator("vet-booking iframe").nth(nth)
    await frame.wait_for(state="visible", timeout=20_000)
    handle = await frame.element_handle()
    assert handle is not None
    content = await handle.content_frame()
    assert content is not None
    return handle, content


async def height_of(frame: ElementHandle) -> float:
    height: float = await frame.evaluate("frame => frame.getBoundingClientRect().height")
    return height


async def test_a_strict_page_of_another_origin_shows_the_frame_and_it_sizes_itself(sites: Sites, page: Page) -> None:
    await page.goto(sites.website)
    handle, frame = await shown_frame(page)
    assert frame.url.startswith(f"{sites.booking}/book/oak-lane?source=website")
    await frame.locator("h1").first.wait_for()
    assert await page.get_by_role("link", name="Book online").count() == 0, "the frame has taken the link's place"

    async def fits() -> bool:
        inside: float = await frame.evaluate("document.body.getBoundingClientRect().height")
        return abs(inside - await height_of(handle)) <= 1

    assert await fits()
    await frame.evaluate("document.querySelector('main').append(Object.assign(document.createElement('hr')))")
    await page.set_viewport_size({"width": 340, "height": 700})
    await page.wait_for_timeout(300)
    assert await fits(), "narrower is taller"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate("scrollY") == 0
    assert await page.context.cookies(sites.website) == []


async def test_nothing_moves_where_the_page_reserves_the_room(sites: Sites, page: Page) -> None:
    await page.goto(sites.website)
    await shown_frame(page)
    await page.wait_for_timeout(300)
    moved = await page.evaluate(
        """new Promise((done) => new PerformanceObserver((list) => {
             done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0));
           }).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 300))"""
    )
    assert moved == 0


async def test_messages_count_only_from_our_origin_and_the_element_s_own_frame(sites: Sites, page: Page) -> None:
    await page.goto(f"{sites.website}/two")
    first, frame = await shown_frame(page, 0)
    second, _ = await shown_frame(page, 1)
    await page.evaluate(LISTEN)
    before = await height_of(first), await height_of(second)
    port = sites.website.rsplit(":", 1)[1]
    await page.evaluate(
        "(src) => new Promise((done) => document.body.append("
        "Object.assign(document.createElement('iframe'), { src, onload: done })))",
        f"http://127.0.0.2:{port}/stranger",
    )
    stranger = next(one for one in page.frames if "127.0.0.2" in one.url)
    lies = """() => {
      parent.postMessage({ type: "vetslot:height", v: 1, height: 4321 }, "*");
      parent.postMessage({ type: "vetslot:event", v: 1, name: "booked" }, "*");
    }"""
    await stranger.evaluate(lies)
    await page.evaluate(lies)
    await page.wait_for_timeout(300)
    assert (await height_of(first), await height_of(second)) == before
    assert await page.evaluate("heard") == []

    await frame.evaluate(lies)
    while not await page.evaluate("heard"):  # not `wait_for_function`, which the strict policy forbids at times
        await page.wait_for_timeout(50)
    assert (await height_of(first), await height_of(second)) == (4321, before[1])
    assert await page.evaluate("heard") == [["vet-booking:booked", "vet-booking", None]]


@pytest.mark.parametrize(
    ("message", "height"),
    [
        ("{ type: 'vetslot:height', v: 1, height: 1e9 }", 10_000),
        ("{ type: 'vetslot:height', v: 1, height: 700.5 }", 555),
        ("{ type: 'vetslot:height', v: 1, height: -1 }", 555),
        ("{ type: 'vetslot:height', v: 1, height: '700px' }", 555),
        ("{ type: 'vetslot:height', v: 2, height: 700 }", 555),
        ("{ type: 'vetslot:event', v: 1, name: 'hacked' }", 555),
        ("null", 555),
    ],
)
async def test_what_is_not_in_the_protocol_is_ignored(sites: Sites, page: Page, message: str, height: int) -> None:
    await page.goto(sites.website)
    handle, frame = await shown_frame(page)
    await page.evaluate(LISTEN)
    await frame.evaluate("parent.postMessage({ type: 'vetslot:height', v: 1, height: 555 }, '*')")
    await frame.evaluate(f"parent.postMessage({message}, '*')")
    await page.wait_for_timeout(200)
    assert await height_of(handle) == height
    assert await page.evaluate("heard") == []


async def test_a_button_opens_a_dialog_and_escape_closes_it(sites: Sites, page: Page) -> None:
    await page.goto(f"{sites.website}/button")
    button = page.get_by_role("link", name="Make a date")
    await button.wait_for()
    assert await button.get_attribute("href") == f"{sites.booking}/book/oak-lane?color=%23ffd400"
    assert await button.evaluate("it => getComputedStyle(it).color") == "rgb(0, 0, 0)", "black is read best on yellow"
    await button.click()
    _, frame = await shown_frame(page)
    await frame.locator("h1").first.wait_for()
    assert page.url == f"{sites.website}/button", "the page around it stays"
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="hidden")
    assert await button.evaluate("it => it.getRootNode().activeElement === it"), "focus is back where it was"


async def test_the_floating_button_speaks_the_element_s_language(sites: Sites, page: Page) -> None:
    await page.goto(f"{sites.website}/floating")
    button = page.get_by_role("link", name="Prendre rendez-vous")
    await button.wait_for()
    box = await button.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 800
    assert box["y"] + box["height"] <= 900
    assert box["height"] >= 44


async def test_an_element_added_later_or_changed_is_shown(sites: Sites, page: Page) -> None:
    await page.goto(f"{sites.website}/late")
    await page.evaluate(
        """() => {
          const late = document.createElement("vet-booking");
          document.body.append(late);
          late.setAttribute("practice", "oak-lane");
        }"""
    )
    _, frame = await shown_frame(page)
    assert frame.url == f"{sites.booking}/book/oak-lane"
    await page.evaluate("document.querySelector('vet-booking').setAttribute('species', 'cat')")
    _, frame = await shown_frame(page)
    assert frame.url == f"{sites.booking}/book/oak-lane?species=cat"
    await page.evaluate("document.querySelector('vet-booking').removeAttribute('practice')")
    await page.locator("vet-booking iframe").wait_for(state="detached")


@pytest.mark.parametrize("path", ["/", "/unnamed"])
async def test_without_scripts_it_is_a_link(sites: Sites, chromium: Browser, path: str) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{sites.website}{path}")
    link = page.get_by_role("link", name="Book online")
    assert await link.is_visible()
    assert await link.get_attribute("href") == f"{sites.booking}/book/oak-lane"
    await context.close()


async def test_where_the_frame_is_refused_the_link_stays(sites: Sites, chromium: Browser) -> None:
    context = await chromium.new_context()
    page = await context.new_page()
    for address in (sites.website.replace("127.0.0.1", "127.0.0.2"), f"{sites.website}/unnamed"):
        await page.goto(address)
        await page.wait_for_timeout(500)
        link = page.get_by_role("link", name="Book online")
        assert await link.is_visible(), address
        assert not await page.locator("vet-booking iframe").is_visible()
    await context.close()


async def test_the_script_may_be_loaded_by_any_page_and_is_asked_for_again_soon(sites: Sites) -> None:
    async with httpx.AsyncClient(base_url=sites.booking) as client:
        answer = await client.get("/widget.js")
        assert answer.content == SCRIPT
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "max-age=300" in answer.headers["cache-control"]
        again = await client.get("/widget.js", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "set-cookie" not in answer.headers


def test_the_script_is_small() -> None:
    assert len(gzip.compress(SCRIPT)) <= 5_000


async def _run(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(statement)
    await conn.close()


@contextmanager
def served(booking: str, settings: dict[str, str]) -> Iterator[None]:
    server = subprocess.Popen([sys.executable, "-m", "widget", "serve"], env=os.environ | settings)
    try:
        _wait_until_healthy(booking)
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_until_healthy(booking: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{booking}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("The web server did not start within a minute; its error stands above.")
