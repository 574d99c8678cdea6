"""The demo PIMS's own screen: the day by column, and what arrived from outside."""

from __future__ import annotations

import re

import httpx
from msgspec.structs import replace

from pims_adapters.contract import AppointmentDraft, ClientDraft, PatientDraft
from pims_adapters.demo.adapter import DemoAdapter
from tests.demo_clinic import DemoClinic


async def test_an_appointment_from_outside_shows_with_its_description(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    await adapter.create_appointment(replace(draft, description="[vetslot Direct Booking] VS-7K2M"), "on the page")
    page = clinic.page(f"/?date={draft.start.date()}")
    assert "[vetslot Direct Booking] VS-7K2M" in page
    assert "WEB" in page


async def test_what_people_typed_is_shown_as_text(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    evil = "<script>alert(1)</script>\"' onload=x"
    client = await adapter.create_client(ClientDraft(given_name=evil, family_name=evil), "evil")
    patient = await adapter.create_patient(PatientDraft(client=client, name=evil, species=evil), "evil")
    await adapter.create_appointment(replace(draft, client=client, patient=patient, description=evil), "evil")
    page = clinic.page()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "\"' onload" not in page


def test_the_page_leads_to_the_days_around_it_and_to_other_columns(clinic: DemoClinic) -> None:
    page = clinic.page("/?date=2026-11-26")
    assert "Closed: Thanksgiving" in page
    links = re.findall(r'href="\?date=([-0-9]+)&amp;columns=(\w+)"', page)
    assert ("2026-11-25", "doctors") in links
    assert ("2026-11-27", "doctors") in links
    assert ("2026-11-26", "technicians") in links
    assert "Dr. Hannah Lee" in page
    assert "Ultrasound machine" in clinic.page("/?date=2026-11-26&columns=rooms")


def test_the_page_bears_any_address(clinic: DemoClinic) -> None:
    for query in ("date=0001-01-01", "date=9999-12-31", "columns=nonesuch", "date=2026-11-26&columns="):
        assert "Riverside" in clinic.page(f"/?{query}")
    assert httpx.get(f"{clinic.url}/?date=tomorrow", trust_env=False).status_code == 422


def test_only_the_page_is_open_without_the_key(clinic: DemoClinic) -> None:
    for method, path in (
        ("GET", "/v1/practice"),
        ("GET", "/v1/changes"),
        ("POST", "/v1/clients"),
        ("POST", "/staff/blocks"),
        ("POST", "/faults"),
        ("DELETE", "/faults"),
    ):
        assert httpx.request(method, clinic.url + path, trust_env=False).status_code == 401
    assert httpx.get(clinic.url, trust_env=False).status_code == 200
