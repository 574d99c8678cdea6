"""Bookings over HTTP: from a held time to a visit that its client, and nobody else, can see, move and cancel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from icalendar import Calendar

from booking.db import connections
from booking.db.pool import Pool, across_practices
from booking.tokens import sealed
from pims_adapters.contract import Ability, DraftField
from tests.booking.api.calls import V1, all_slots, practice_path, slots_of, with_token
from tests.widget.cedar_hill import SAMS_PHONE, STRANGERS_PHONE, CedarHill, open_cedar_hill
from tests.widget.live_connection import connect_pims

NEVER_THERE = "22222222"


async def session_of(api: httpx.AsyncClient, cedar_hill: CedarHill, phone: str) -> str:
    """Prove a phone; the session's token."""
    asked = await api.post(f"{practice_path(cedar_hill)}/verifications", json={"phone": phone})
    assert asked.status_code == 202, asked.text
    code = await cedar_hill.code()
    proven = await api.post(f"{V1}/verifications/{asked.json()['id']}/check", json={"code": code})
    assert proven.status_code == 200, proven.text
    return str(proven.json()["session"])


async def hold_slot(api: httpx.AsyncClient, cedar_hill: CedarHill, slot: dict[str, Any]) -> dict[str, Any]:
    held = await api.post(f"{practice_path(cedar_hill)}/holds", json={"slotToken": slot["token"]})
    assert held.status_code == 201, held.text
    found: dict[str, Any] = held.json()
    return found


async def far(api: httpx.AsyncClient, cedar_hill: CedarHill) -> list[dict[str, Any]]:
    """Return the times that no window reaches."""
    limit = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    return [slot for slot in all_slots(await slots_of(api, cedar_hill)) if slot["start"] > limit]


async def send(
    api: httpx.AsyncClient, cedar_hill: CedarHill, session: str, held: dict[str, Any], key: str = "", **body: object
) -> httpx.Response:
    """Book for Sam's dog Bo unless said otherwise."""
    sent = {
        "hold": held["id"],
        "holdSecret": held["secret"],
        "patients": [{"type": "existing", "id": str(cedar_hill.pets["Bo"])}],
        "client": str(cedar_hill.sam),
    } | body
    headers = with_token(session) | {"Idempotency-Key": key or str(uuid4())}
    return await api.post(f"{practice_path(cedar_hill)}/bookings", json=sent, headers=headers)


async def sams_booking(api: httpx.AsyncClient, cedar_hill: CedarHill) -> tuple[str, dict[str, Any]]:
    """Book the first far time; Sam's session and the booking."""
    session = await session_of(api, cedar_hill, SAMS_PHONE)
    held = await hold_slot(api, cedar_hill, (await far(api, cedar_hill))[0])
    answer = await send(api, cedar_hill, session, held)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return session, made


async def test_a_known_client_books_for_two_patients(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session = await session_of(api, cedar_hill, SAMS_PHONE)
    slot = all_slots(await slots_of(api, cedar_hill, patients="dog,cat"))[-1]
    held = await hold_slot(api, cedar_hill, slot)
    patients = [
        {"type": "existing", "id": str(cedar_hill.pets["Bo"])},
        {"type": "new", "name": "Tom", "species": "cat"},
    ]
    made = await send(api, cedar_hill, session, held, patients=patients, reason="Checkup")
    assert made.status_code == 201, made.text
    booking = made.json()
    assert [one["patientName"] for one in booking["visits"]] == ["Bo", "Tom"]
    assert booking["visits"][0]["end"] == booking["visits"][1]["start"]
    assert booking["visits"][0]["providers"]
    assert (booking["start"], booking["end"]) == (slot["start"], slot["end"])
    assert (booking["status"], booking["writeBack"]) == ("booked", None)  # it has no PIMS
    page = await api.get(f"/visit/{booking['manageUrl'].partition('/visit/')[2]}")
    assert page.status_code == 200


async def test_somebody_new_books_and_the_same_key_books_once(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session = await session_of(api, cedar_hill, STRANGERS_PHONE)
    held = await hold_slot(api, cedar_hill, (await far(api, cedar_hill))[0])
    new = {"client": None, "newClient": {"givenName": "Noor", "familyName": "Haddad", "otherContact": "n@example.com"}}
    patients = [{"type": "new", "name": "Zuzu", "species": "dog"}]
    first = await send(api, cedar_hill, session, held, "once", patients=patients, **new)
    again = await send(api, cedar_hill, session, held, "once", patients=patients, **new)
    other = await send(api, cedar_hill, session, held, "once", patients=patients, reason="Else", **new)
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert await cedar_hill.count("appointment") == 1


async def test_what_is_missing_is_told(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session = await session_of(api, cedar_hill, SAMS_PHONE)
    held = await hold_slot(api, cedar_hill, (await far(api, cedar_hill))[0])
    body = {"hold": held["id"], "holdSecret": held["secret"], "patients": [{"type": "existing", "id": str(uuid4())}]}
    path = f"{practice_path(cedar_hill)}/bookings"
    no_key = await api.post(path, json=body | {"client": str(cedar_hill.sam)}, headers=with_token(session))
    assert (no_key.status_code, no_key.json()["code"]) == (400, "idempotency-key-missing")
    nobody = await send(api, cedar_hill, "", held)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not-proven")
    unclear = await send(api, cedar_hill, session, held, client=None)
    assert (unclear.status_code, unclear.json()["code"]) == (422, "client-unclear")
    no_hold = await send(api, cedar_hill, session, {"id": str(uuid4()), "secret": held["secret"]})
    assert (no_hold.status_code, no_hold.json()["code"]) == (404, "hold-unknown")
    not_theirs = await send(api, cedar_hill, session, held, client=str(uuid4()))
    assert (not_theirs.status_code, not_theirs.json()["code"]) == (422, "cannot-be-booked")


async def test_a_lost_time_comes_with_others(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session = await session_of(api, cedar_hill, SAMS_PHONE)
    slot = (await far(api, cedar_hill))[0]
    slow = await hold_slot(api, cedar_hill, slot)
    await cedar_hill.execute("UPDATE hold SET expires_at = now() - interval '1 minute'")
    await hold_slot(api, cedar_hill, slot)
    lost = await send(api, cedar_hill, session, slow)
    assert (lost.status_code, lost.json()["code"]) == (409, "slot-taken")
    assert (await hold_slot(api, cedar_hill, lost.json()["alternatives"][0]))["id"]


async def test_session_and_manage_token_open_the_booking(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session, made = await sams_booking(api, cedar_hill)
    shown = {name: value for name, value in made.items() if not name.startswith("manage")}
    for token in (session, made["manageToken"]):
        answer = await api.get(f"{V1}/bookings/{made['reference']}", headers=with_token(token))
        assert (answer.status_code, answer.json()) == (200, shown)


async def test_a_booking_is_not_there_for_anybody_else(
    api: httpx.AsyncClient, cedar_hill: CedarHill, pool: Pool
) -> None:
    session, made = await sams_booking(api, cedar_hill)
    elsewhere = await open_cedar_hill(pool, "elsewhere")
    stranger = await session_of(api, cedar_hill, STRANGERS_PHONE)
    sam_elsewhere = await session_of(api, elsewhere, SAMS_PHONE)
    body, secret = {"start": made["start"]}, made["manageToken"].rpartition("_")[2]
    tries = [
        (session, NEVER_THERE),
        (stranger, made["reference"]),
        (sam_elsewhere, made["reference"]),
        (sealed("mt", elsewhere.practice.practice_id, secret), made["reference"]),
        (sealed("mt", uuid4(), secret), made["reference"]),
        (made["manageToken"] + "x", made["reference"]),
        (made["manageToken"], NEVER_THERE),
    ]
    answers = [await api.get(f"{V1}/bookings/{reference}", headers=with_token(token)) for token, reference in tries]
    answers += [
        await api.post(f"{V1}/bookings/{made['reference']}/{what}", json=body, headers=with_token(stranger))
        for what in ("reschedule", "cancel", "confirm")
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["code"] == "booking-unknown"
    nobody = await api.get(f"{V1}/bookings/{made['reference']}")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not-proven")


async def test_a_booking_is_moved_confirmed_and_cancelled(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session, made = await sams_booking(api, cedar_hill)
    path, headers = f"{V1}/bookings/{made['reference']}", with_token(session)
    slots = await far(api, cedar_hill)
    moved = await api.post(f"{path}/reschedule", json={"start": slots[-1]["start"]}, headers=headers)
    assert moved.status_code == 200, moved.text
    assert (moved.json()["reference"], moved.json()["start"]) == (made["reference"], slots[-1]["start"])
    confirmed = await api.post(f"{path}/confirm", headers=headers)
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    for _ in range(2):
        cancelled = await api.post(f"{path}/cancel", headers=with_token(made["manageToken"]))
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert made["start"] in {slot["start"] for slot in await far(api, cedar_hill)}
    late = await api.post(f"{path}/confirm", headers=headers)
    assert (late.status_code, late.json()["code"]) == (409, "no-longer-changeable")


async def test_a_time_that_is_taken_is_answered_with_others_that_can_be_held(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    session, made = await sams_booking(api, cedar_hill)
    slot = (await far(api, cedar_hill))[-1]
    await hold_slot(api, cedar_hill, slot)
    path = f"{V1}/bookings/{made['reference']}"
    taken = await api.post(f"{path}/reschedule", json={"start": slot["start"]}, headers=with_token(session))
    assert (taken.status_code, taken.json()["code"]) == (409, "slot-taken")
    assert (await hold_slot(api, cedar_hill, taken.json()["alternatives"][0]))["id"]
    still = await api.get(path, headers=with_token(session))
    assert still.json()["start"] == made["start"]


@pytest.mark.parametrize("what", ["cancel", "reschedule"])
async def test_too_late_is_told_with_the_practices_number(
    api: httpx.AsyncClient, cedar_hill: CedarHill, what: str
) -> None:
    session, made = await sams_booking(api, cedar_hill)
    await cedar_hill.execute("UPDATE practice SET cancel_window = '60 days', reschedule_window = '60 days'")
    start = (await far(api, cedar_hill))[-1]["start"]
    answer = await api.post(
        f"{V1}/bookings/{made['reference']}/{what}", json={"start": start}, headers=with_token(session)
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "too-late")
    assert cedar_hill.practice.phone in answer.json()["detail"]


async def test_a_booking_as_a_calendar_file(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    session, made = await sams_booking(api, cedar_hill)
    answer = await api.get(f"{V1}/bookings/{made['reference']}/calendar.ics", headers=with_token(session))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert event.decoded("dtstart") == datetime.fromisoformat(made["start"])
    assert str(event["uid"]) == f"{made['visits'][0]['id']}@vetslot"


async def test_what_the_practices_system_requires_of_newcomers_is_told_and_asked_for(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    practice_id = cedar_hill.practice.practice_id
    connection_id = await connect_pims(cedar_hill.pool, practice_id)
    asks = [
        DraftField(of="client", field="postal_code", required=True),
        DraftField(of="client", field="email", required=True),
        DraftField(of="patient", field="sex", required=True, words=("female", "male")),
        DraftField(of="patient", field="breed", longest=10),
    ]
    async with across_practices(cedar_hill.pool) as conn:
        abilities: list[Ability] = ["creates_appointments", "creates_clients"]
        await connections.note_abilities(conn, practice_id, connection_id, abilities, asks)
    profile = (await api.get(practice_path(cedar_hill))).json()
    assert profile["asks"] == [
        {"of": "client", "field": "postalCode", "words": None},
        {"of": "client", "field": "otherContact", "words": None},
        {"of": "patient", "field": "sex", "words": ["female", "male"]},
    ]
    session = await session_of(api, cedar_hill, STRANGERS_PHONE)
    held = await hold_slot(api, cedar_hill, (await far(api, cedar_hill))[0])
    new = {"givenName": "Noor", "familyName": "Haddad"}
    pet = {"type": "new", "name": "Zuzu", "species": "dog"}
    refused = await send(api, cedar_hill, session, held, client=None, newClient=new, patients=[pet])
    assert (refused.status_code, refused.json()["code"]) == (422, "details-refused")
    assert [one["path"] for one in refused.json()["errors"]] == [
        "newClient.postalCode",
        "newClient.otherContact",
        "patients[0].sex",
    ]
    new |= {"postalCode": "12203", "otherContact": "noor@example.com"}
    made = await send(api, cedar_hill, session, held, client=None, newClient=new, patients=[pet | {"sex": "female"}])
    assert (made.status_code, made.json()["writeBack"]) == (201, "queued")
