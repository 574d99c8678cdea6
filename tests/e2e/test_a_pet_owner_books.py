"""A pet owner books on a web page, and the appointment stands in the practice's PIMS, which is asked itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import httpx
from playwright.async_api import Browser, FrameLocator, Page

from pims_adapters.demo.clinic.personas import ANA_RIVERA, GRACE_KIM, LUIS_RIVERA, OLIVIA_CARTER
from widget.demo.addresses import Addresses
from widget.demo.riverside import RIVERSIDE, STAFF_EMAIL, STAFF_PASSWORD

PICTURES = Path(__file__).parents[1] / "output"
REFERENCE = re.compile(r"[2-9A-Z]{4}-[2-9A-Z]{4}")
Where = Page | FrameLocator


async def choose_visit(where: Where, *, species: str, known: bool, visit: str) -> None:
    await where.get_by_role("radio", name=species).check()
    await where.get_by_role("radio", name="Yes, you know us" if known else "No, we are new here").check()
    await where.get_by_role("button", name="Continue").click()
    await where.get_by_role("radio", name=visit).check()
    await where.get_by_role("button", name="See times").click()


async def keep_the_last_time(where: Where) -> None:
    """Choose the last time of the day shown: far enough from now whenever the tests run."""
    await where.locator("input[name=start]").last.check()
    await where.get_by_role("button", name="Keep this time").click()


async def prove(demo: Addresses, where: Where, typed: str, *, sent_to: str) -> None:
    await where.get_by_label("Phone number or email").fill(typed)
    await where.get_by_role("button", name="Send me a code").click()
    code = re.search(r"\d{6}", (await newest(demo, "code", sent_to))["body"])
    assert code
    await where.get_by_label("Six-digit code").fill(code.group())
    await where.get_by_role("button", name="Continue").click()


async def choose_pet(where: Where, name: str) -> None:
    await where.get_by_role("radio", name=name).check()
    await where.get_by_role("button", name="Continue").click()


async def confirm(where: Where) -> str:
    """Book, and return the reference on the last page."""
    await where.get_by_role("button", name="Book this visit").click()
    await where.get_by_role("heading", name="You’re booked").wait_for()
    found = REFERENCE.search(await where.locator("main").inner_text())
    assert found
    return found.group()


async def sign_in(demo: Addresses, page: Page) -> None:
    await page.goto(demo.console)
    await page.get_by_label("Email").fill(STAFF_EMAIL)
    await page.get_by_label("Password").fill(STAFF_PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading").first.wait_for()


async def newest(demo: Addresses, purpose: str, to: str) -> dict[str, Any]:
    """Return the newest message of a purpose to a contact, from the mailbox's JSON."""
    async with httpx.AsyncClient(timeout=10) as client, asyncio.timeout(30):
        while True:
            for message in (await client.get(f"{demo.mailbox}.json")).json():
                if (message["purpose"], message["to"]) == (purpose, to):
                    found: dict[str, Any] = message
                    return found
            await asyncio.sleep(0.1)


async def in_pims(demo: Addresses, kind: str, key: str) -> dict[str, Any]:
    """Return the one record that stands in the PIMS under our key; there must not be two."""
    headers = {"Authorization": f"Bearer {demo.pims_key}"}
    async with httpx.AsyncClient(base_url=demo.pims, headers=headers, timeout=10) as client, asyncio.timeout(30):
        while not (found := (await client.get(f"/v1/{kind}", params={"external_key": key})).json()["items"]):
            await asyncio.sleep(0.1)
    assert len(found) == 1
    record: dict[str, Any] = found[0]
    return record


async def test_an_existing_client_books_and_staff_see_it_written(demo: Addresses, page: Page) -> None:
    await page.goto(demo.booking)
    await choose_visit(page, species="Dog", known=True, visit="Wellness exam")
    await page.screenshot(path=picture("times.png"), full_page=True)
    await keep_the_last_time(page)
    await prove(demo, page, "(212) 555-0101", sent_to="+12125550101")
    await choose_pet(page, "Biscuit")
    reference = await confirm(page)
    await page.screenshot(path=picture("booked.png"), full_page=True)

    appointment = await in_pims(demo, "appointments", reference)
    assert appointment["client_id"] == OLIVIA_CARTER.client
    assert appointment["patient_id"] == "pat-biscuit"
    assert appointment["note"] == f"[vetslot Direct Booking] {reference}"

    async with page.expect_download() as download:
        await page.get_by_role("link", name="Add to my calendar").click()
    calendar = (await (await download.value).path()).read_text()
    assert reference in calendar
    assert "BEGIN:VEVENT" in calendar
    assert reference in (await newest(demo, "booked", "+12125550101"))["body"]

    await sign_in(demo, page)
    day = datetime.fromisoformat(appointment["start"]).astimezone(ZoneInfo(RIVERSIDE.timezone)).date()
    await page.goto(urljoin(demo.console, f"/console/schedule?day={day}"))
    await page.get_by_text(reference).first.wait_for()
    assert re.search(r"written\b.*\d s", await page.locator("main").inner_text(), re.IGNORECASE)
    await page.screenshot(path=picture("schedule.png"))


async def test_a_new_client_books_without_javascript(demo: Addresses, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 800}, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(demo.booking)
    await choose_visit(page, species="Cat", known=False, visit="First visit")
    await keep_the_last_time(page)
    await prove(demo, page, "noor.haddad@example.com", sent_to="noor.haddad@example.com")
    await page.get_by_label("First name").fill("Noor")
    await page.get_by_label("Last name").fill("Haddad")
    await page.get_by_label("Name", exact=True).fill("Zuzu")
    await page.get_by_role("radio", name="Cat").check()
    await page.get_by_role("button", name="Continue").click()
    reference = await confirm(page)
    await context.close()

    appointment = await in_pims(demo, "appointments", reference)
    client = await in_pims(demo, "clients", f"{reference}-C")
    patient = await in_pims(demo, "patients", f"{reference}-P")
    assert (appointment["client_id"], appointment["patient_id"]) == (client["id"], patient["id"])
    assert appointment["note"] == f"[vetslot Direct Booking - New Client] {reference}"
    assert patient["client_id"] == client["id"]
    sent = await newest(demo, "booked", "noor.haddad@example.com")
    assert reference in sent["body"]
    assert sent["attachmentName"]


async def test_a_client_books_in_the_frame_on_the_practices_own_website(demo: Addresses, page: Page) -> None:
    await page.goto(demo.strict_host_page)
    await page.locator("vet-booking").scroll_into_view_if_needed()
    frame = page.frame_locator("vet-booking iframe")
    await choose_visit(frame, species="Dog", known=True, visit="Nail trim")
    await keep_the_last_time(frame)
    await prove(demo, frame, ANA_RIVERA.email or "", sent_to=ANA_RIVERA.email or "")
    await choose_pet(frame, next(iter(ANA_RIVERA.patients.values())))
    reference = await confirm(frame)
    assert page.url == demo.strict_host_page
    inside = await frame.locator("html").evaluate("page => page.scrollHeight")
    assert abs(await page.locator("vet-booking iframe").evaluate("frame => frame.clientHeight") - inside) <= 2
    appointment = await in_pims(demo, "appointments", reference)
    assert appointment["client_id"] == ANA_RIVERA.client


async def test_without_scripts_the_host_page_has_a_link_that_leads_to_the_same_booking(
    demo: Addresses, browser: Browser
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(demo.host_page)
    await page.locator("vet-booking").get_by_role("link", name="Book online").click()
    assert page.url.startswith(demo.booking)
    await context.close()


async def test_an_exotic_pet_is_booked_with_the_one_who_knows_them(demo: Addresses, page: Page) -> None:
    await page.goto(demo.booking)
    await choose_visit(page, species="Bird", known=True, visit="Exotics exam")
    await keep_the_last_time(page)
    await prove(demo, page, GRACE_KIM.email or "", sent_to=GRACE_KIM.email or "")
    await choose_pet(page, "Kiwi")
    appointment = await in_pims(demo, "appointments", await confirm(page))
    assert "prov-nguyen" in appointment["columns"]


async def test_a_client_moves_and_cancels_by_the_link_they_were_sent(demo: Addresses, page: Page) -> None:
    async def becomes(told: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(30):
            while not told(await in_pims(demo, "appointments", reference)):
                await asyncio.sleep(0.1)

    mail = LUIS_RIVERA.email or ""
    await page.goto(demo.booking)
    await choose_visit(page, species="Cat", known=True, visit="Wellness exam")
    await page.get_by_role("link", name="Later days").click()
    await keep_the_last_time(page)
    await prove(demo, page, mail, sent_to=mail)
    await choose_pet(page, "Pepper")
    reference = await confirm(page)
    before = await in_pims(demo, "appointments", reference)
    link = re.search(r"To change it: (\S+)", (await newest(demo, "booked", mail))["body"])
    assert link

    await page.goto(link[1])
    await page.get_by_role("link", name="Move to another time").click()
    await page.get_by_role("link", name="Later days").click()
    await page.locator("input[name=start]").first.check()
    await page.get_by_role("button", name="Move the visit here").click()
    await page.get_by_role("heading", name="Your visit has a new time").wait_for()
    assert reference in await page.locator("main").inner_text()
    await becomes(lambda record: bool(record["start"] != before["start"]))

    await page.get_by_role("link", name="Cancel the visit").click()
    await page.get_by_role("button", name="Yes, cancel it").click()
    await page.get_by_role("heading", name="This visit is cancelled").wait_for()
    await becomes(lambda record: bool(record["state"] == "cancelled"))
    assert reference in (await newest(demo, "cancelled", mail))["body"]


async def test_what_staff_take_offline_the_next_client_no_longer_sees(demo: Addresses, page: Page) -> None:
    async def offered() -> bool:
        answer = await page.request.get(f"{demo.booking}?asked=1&species=dog&client=existing")
        return "Surgery consult" in await answer.text()

    assert await offered()
    await sign_in(demo, page)
    await page.goto(urljoin(demo.console, "/console/appointment-types"))
    await page.get_by_role("link", name=re.compile("Surgery consult")).first.click()
    await page.get_by_role("checkbox").first.uncheck()
    await page.get_by_role("button", name="Save").click()
    assert not await offered()


def picture(name: str) -> Path:
    """Return where a screenshot goes; `make pictures` puts the chosen ones into the README."""
    PICTURES.mkdir(exist_ok=True)
    return PICTURES / name
