"""A newcomer runs `make demo` and opens what it prints."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import ConsoleMessage, Page

from widget.demo.addresses import Addresses


@pytest.mark.parametrize("name", ["booking", "host_page", "strict_host_page", "mailbox", "pims"])
async def test_every_printed_address_answers(demo: Addresses, name: str) -> None:
    async with httpx.AsyncClient(timeout=10, follow_redirects=True) as client:
        answer = await client.get(getattr(demo, name))
    assert answer.status_code == 200
    assert "Riverside" in answer.text or name == "mailbox"


async def test_the_host_page_is_another_site(demo: Addresses) -> None:
    assert demo.host_page.startswith("http://127.0.0.1:")
    assert demo.booking.startswith("http://localhost:")


async def test_nothing_on_the_strict_host_page_breaks_its_own_policy(demo: Addresses, page: Page) -> None:
    refused: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            refused.append(message.text)

    page.on("console", listen)
    answer = await page.goto(demo.strict_host_page, wait_until="networkidle")
    assert answer is not None
    assert "script-src http://localhost:" in answer.headers["content-security-policy"]
    assert await page.locator("vet-booking").count() == 1
    assert refused == []
