"""Staff at the API: their day, bookings for clients, requests, and what is on its way into the PIMS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from booking.api_keys import NewKey, make_key
from booking.db.pool import Pool, of_practice
from booking.scopes import EVERYTHING, Scope
from tests.booking.api.calls import V1, all_slots, practice_path, slots_of, with_token
from tests.booking.api.test_bookings import far, sams_booking, session_of
from tests.widget.cedar_hill import SAMS_PHONE, STRANGERS_PHONE, CedarHill, open_cedar_hill
from tests.widget.live_connection import connect_pims
from tests.widget.oak_lane import browser_of, settings_of

STAFF = f"{V1}/staff"
CONVERSATIONS: tuple[Scope, ...] = ("conversations:read", "conversations:write")
SECRET_KEY = b"a key of thirty-two bytes or more"


async def key_for(cedar_hill: CedarHill, *scopes: Scope) -> dict[str, str]:
    """Return the header of a program that may do so much at a practice."""
    async with of_practice(cedar_hill.pool, cedar_hill.practice.practice_id) as conn, conn.transaction():
        new = NewKey(name="front desk", scopes=list(scopes), expires_at=None)
        _, token = await make_key(
            conn,
            cedar_hill.practice.practice_id,
            uuid4(),
            new,
            by=uuid4(),
            may=EVERYTHING,
            secret_key=SECRET_KEY,
            now=datetime.now(UTC),
        )
    return with_token(token)


@pytest.fixture
async def desk(cedar_hill: CedarHill, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return the front desk of Cedar Hill."""
    async with browser_of(settings_of(database_url, redis_url)) as client:
        client.headers.update(await key_for(cedar_hill, "schedule:read", "schedule:write", *CONVERSATIONS))
        yield client


def entry(cedar_hill: CedarHill, start: str, **more: object) -> dict[str, object]:
    """Return what the desk books for Sam's dog Bo unless said otherwise."""
    return {
        "appointmentType": str(cedar_hill.types["wellness"]),
        "start": start,
        "client": str(cedar_hill.sam),
        "patients": [{"type": "existing", "id": str(cedar_hill.pets["Bo"])}],
    } | more


async def book(desk: httpx.AsyncClient, sent: dict[str, object], key: str = "") -> httpx.Response:
    return await desk.post(f"{STAFF}/appointments", json=sent, headers={"Idempotency-Key": key or str(uuid4())})


def soon() -> str:
    """Return the next half hour, which is inside every notice."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return (now + timedelta(minutes=30 - now.minute % 30)).isoformat()


async def test_staff_book_inside_the_notice_and_never_twice(desk: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    start = soon()
    first, again = [await book(desk, entry(cedar_hill, start), "k") for _ in range(2)]
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    other = entry(cedar_hill, start, patients=[{"type": "existing", "id": str(cedar_hill.pets["Mia"])}])
    taken = await book(desk, other)
    assert (taken.status_code, taken.json()["code"]) == (409, "slot-taken")
    assert (await book(desk, other | {"start": taken.json()["alternatives"][0]["start"]})).status_code == 201
    assert await cedar_hill.fetchval("SELECT string_agg(DISTINCT source, ',') FROM appointment") == "staff"
    assert await cedar_hill.count("message") == 0


async def test_staff_book_somebody_new_and_tell_them(desk: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    new = {"client": None, "newClient": {"givenName": "Noor", "familyName": "Haddad"}, "tell": True}
    sent = entry(cedar_hill, soon(), patients=[{"type": "new", "name": "Zuzu", "species": "rabbit"}], **new)
    missing = await book(desk, sent)
    assert (missing.status_code, missing.json()["code"]) == (422, "contact-missing")
    made = await book(desk, sent | {"contact": STRANGERS_PHONE})
    assert made.status_code == 201, made.text
    assert await cedar_hill.fetchval("SELECT recipient FROM message WHERE purpose = 'booked'") == STRANGERS_PHONE


async def test_who_is_dead_or_not_the_clients_is_not_booked_by_staff_either(
    desk: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    for patient in (cedar_hill.pets["Rex"], uuid4()):
        answer = await book(desk, entry(cedar_hill, soon(), patients=[{"type": "existing", "id": str(patient)}]))
        assert (answer.status_code, answer.json()["code"]) == (422, "cannot-be-booked")


async def test_the_day_and_the_list_show_what_stands(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    _, made = await sams_booking(api, cedar_hill)
    await book(desk, entry(cedar_hill, (await far(api, cedar_hill))[-1]["start"]))
    day = made["start"][:10]
    shown = (await desk.get(f"{STAFF}/schedule", params={"date": day})).json()
    assert {one["name"] for one in shown["resources"]} >= {"Dr. Ada Okoye", "Exam room"}
    query = {
        "from": cedar_hill.today.isoformat(),
        "to": (cedar_hill.today + timedelta(days=20)).isoformat(),
        "limit": "1",
    }
    seen, following = [], ""
    while following is not None:
        page = (
            await desk.get(f"{STAFF}/appointments", params=query | ({"after": following} if following else {}))
        ).json()
        seen += page["items"]
        following = page["next"]
    assert [one["source"] for one in seen] == ["online", "staff"]
    assert (seen[0]["reference"], seen[0]["patient"], seen[0]["writeBack"]) == (made["reference"], "Bo", None)
    wrong = await desk.get(f"{STAFF}/appointments", params=query | {"to": "2999-01-01"})
    assert wrong.status_code == 400


async def test_staff_move_confirm_and_cancel_what_a_client_booked(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    _, made = await sams_booking(api, cedar_hill)
    path = f"{STAFF}/appointments/{made['visits'][0]['id']}"
    start = (await far(api, cedar_hill))[-1]["start"]
    moved = await desk.post(f"{path}/reschedule", json={"start": start})
    assert (moved.status_code, moved.json()["start"]) == (200, start)
    confirmed = await desk.post(f"{path}/status", json={"status": "confirmed"})
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    cancelled = await desk.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert await cedar_hill.count("claim") == 0
    arrived = await desk.post(f"{path}/status", json={"status": "arrived"})
    assert (arrived.status_code, arrived.json()["code"]) == (409, "cannot-stand-so")


async def test_staff_note_who_arrived_and_who_did_not(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    _, made = await sams_booking(api, cedar_hill)
    path = f"{STAFF}/appointments/{made['visits'][0]['id']}"
    for status in ("arrived", "fulfilled", "no_show"):
        noted = await desk.post(f"{path}/status", json={"status": status})
        assert (noted.status_code, noted.json()["status"]) == (200, status)
    assert made["start"] in {slot["start"] for slot in all_slots(await slots_of(api, cedar_hill))}


async def test_what_the_pims_made_is_changed_there(desk: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    made = (await book(desk, entry(cedar_hill, soon()))).json()
    await cedar_hill.execute("UPDATE appointment SET source = 'pims', reference = NULL")
    path = f"{STAFF}/appointments/{made['visits'][0]['id']}"
    for what, body in (("reschedule", {"start": soon()}), ("cancel", None)):
        answer = await desk.post(f"{path}/{what}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "made-in-pims")


async def test_a_request_is_asked_once_and_booked_once(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    asked = {
        "contact": STRANGERS_PHONE,
        "name": "Noor Haddad",
        "patientName": "Zuzu",
        "species": "dog",
        "message": "Hi",
    }
    path = f"{practice_path(cedar_hill)}/requests"
    first, again = [await api.post(path, json=asked, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    (shown,) = (await desk.get(f"{STAFF}/requests", params={"status": "open"})).json()["items"]
    assert (shown["contact"], shown["patientName"], shown["message"]) == (STRANGERS_PHONE, "Zuzu", "Hi")
    new = {"client": None, "newClient": {"givenName": "Noor", "familyName": "Haddad"}, "tell": True}
    sent = entry(cedar_hill, soon(), patients=[{"type": "new", "name": "Zuzu", "species": "dog"}], **new)
    path = f"{STAFF}/requests/{shown['id']}/book"
    booked = await desk.post(path, json=sent, headers={"Idempotency-Key": "b"})
    assert booked.status_code == 201, booked.text
    (shown,) = (await desk.get(f"{STAFF}/requests")).json()["items"]
    assert (shown["status"], shown["reference"]) == ("booked", booked.json()["reference"])
    late = await desk.post(path, json=sent, headers={"Idempotency-Key": "c"})
    assert (late.status_code, late.json()["code"]) == (409, "request-decided")
    assert await cedar_hill.fetchval("SELECT recipient FROM message WHERE purpose = 'booked'") == STRANGERS_PHONE


async def test_a_request_is_declined_in_the_practices_words_or_withdrawn_by_whoever_asked(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    asked = {"contact": SAMS_PHONE, "name": "Sam", "patientName": "Bo", "species": "dog"}
    ids = [
        (
            await api.post(
                f"{practice_path(cedar_hill)}/requests", json=asked, headers={"Idempotency-Key": str(uuid4())}
            )
        ).json()["id"]
        for _ in range(2)
    ]
    declined = await desk.post(f"{STAFF}/requests/{ids[0]}/decline", json={"message": "We are full until June."})
    assert (declined.status_code, declined.json()["status"]) == (200, "declined")
    assert "We are full until June." in await cedar_hill.fetchval("SELECT body FROM message WHERE purpose = 'declined'")
    stranger, sam = await session_of(api, cedar_hill, STRANGERS_PHONE), await session_of(api, cedar_hill, SAMS_PHONE)
    path = f"{V1}/requests/{ids[1]}/withdraw"
    assert (await api.post(path, headers=with_token(stranger))).json()["code"] == "request-unknown"
    for _ in range(2):
        assert (await api.post(path, headers=with_token(sam))).json()["status"] == "withdrawn"
    assert (await api.post(path)).json()["code"] == "not-proven"
    late = await api.post(f"{V1}/requests/{ids[0]}/withdraw", headers=with_token(sam))
    assert late.json()["code"] == "request-decided"


async def test_requests_are_bounded(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    asked = {"contact": SAMS_PHONE, "name": "Sam", "patientName": "Bo", "species": "dog"}
    path = f"{practice_path(cedar_hill)}/requests"
    answers = [await api.post(path, json=asked, headers={"Idempotency-Key": str(n)}) for n in range(11)]
    assert [one.status_code for one in answers] == [201] * 10 + [429]


async def test_who_describes_an_emergency_in_a_request_is_sent_to_the_phone(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    asked = {"contact": SAMS_PHONE, "name": "Sam", "patientName": "Bo", "species": "dog", "message": "He has a seizure"}
    answer = await api.post(f"{practice_path(cedar_hill)}/requests", json=asked, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (422, "urgent")
    assert answer.json()["phone"] == cedar_hill.practice.phone
    assert await cedar_hill.count("appointment_request") == 0


async def test_write_backs_are_shown_tried_again_and_finished_by_hand(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    await connect_pims(cedar_hill.pool, cedar_hill.practice.practice_id)
    _, made = await sams_booking(api, cedar_hill)
    (line,) = (await desk.get(f"{STAFF}/write-backs")).json()["items"]
    assert (line["reference"], line["action"], line["state"]) == (made["reference"], "create", "queued")
    assert line["nextAttempt"]
    path = f"{STAFF}/write-backs/{line['id']}"
    early = await desk.post(f"{path}/done", json={})
    assert (early.status_code, early.json()["code"]) == (409, "write-back-settled")
    await cedar_hill.execute("UPDATE write_back SET state = 'needs_attention', reason = 'Refused.', attempts = 7")
    stuck = (await desk.get(f"{STAFF}/write-backs", params={"state": "needs_attention"})).json()["items"]
    assert [one["reason"] for one in stuck] == ["Refused."]
    again = await desk.post(f"{path}/retry")
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (200, "queued", 1)
    await cedar_hill.execute("UPDATE write_back SET state = 'needs_attention'")
    done = await desk.post(f"{path}/done", json={"pimsId": "appt-7"})
    assert (done.status_code, done.json()["state"]) == (200, "written")
    assert await cedar_hill.fetchval("SELECT pims_id FROM appointment") == "appt-7"
    assert (await desk.post(f"{path}/retry")).json()["code"] == "write-back-settled"


async def test_another_practices_objects_are_not_there_and_a_key_that_may_only_read_changes_nothing(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill, pool: Pool
) -> None:
    await connect_pims(cedar_hill.pool, cedar_hill.practice.practice_id)
    _, made = await sams_booking(api, cedar_hill)
    (line,) = (await desk.get(f"{STAFF}/write-backs")).json()["items"]
    elsewhere = await open_cedar_hill(pool, "elsewhere")
    theirs = await key_for(elsewhere, "schedule:read", "schedule:write")
    reader = await key_for(cedar_hill, "schedule:read")
    for path, never, body in (
        (f"appointments/{made['visits'][0]['id']}/cancel", f"appointments/{uuid4()}/cancel", None),
        (f"appointments/{made['visits'][0]['id']}/status", f"appointments/{uuid4()}/status", {"status": "arrived"}),
        (f"write-backs/{line['id']}/retry", f"write-backs/{uuid4()}/retry", None),
    ):
        answers = [await api.post(f"{STAFF}/{one}", json=body, headers=theirs) for one in (path, never)]
        assert [one.status_code for one in answers] == [404, 404], path
        assert answers[0].text == answers[1].text
        refused: Any = await api.post(f"{STAFF}/{path}", json=body, headers=reader)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
    assert (await api.get(f"{STAFF}/write-backs", headers=theirs)).json()["items"] == []


async def test_whatever_staff_do_with_a_booking_stands_in_the_audit_log(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    _, made = await sams_booking(api, cedar_hill)
    path = f"{STAFF}/appointments/{made['visits'][0]['id']}"
    times = await far(api, cedar_hill)
    await desk.post(f"{path}/reschedule", json={"start": times[-1]["start"]})
    await desk.post(f"{path}/status", json={"status": "confirmed"})
    for _ in range(2):  # the second one changes nothing
        await desk.post(f"{path}/status", json={"status": "arrived"})
    await desk.post(f"{path}/status", json={"status": "no_show"})
    entered = await book(desk, entry(cedar_hill, times[0]["start"]))
    await desk.post(f"{STAFF}/appointments/{entered.json()['visits'][0]['id']}/cancel")

    reader = await key_for(cedar_hill, "configuration:read")
    log = (await desk.get(f"{STAFF}/audit", headers=reader)).json()["items"]
    changes = [one for one in reversed(log) if one["what"] == "appointment"]

    def statuses(one: dict[str, Any]) -> tuple[str | None, str]:
        return one["before"] and one["before"]["status"], one["after"]["status"]

    assert [statuses(one) for one in changes] == [
        ("booked", "booked"),
        ("booked", "confirmed"),
        ("confirmed", "arrived"),
        ("arrived", "no_show"),
        (None, "booked"),
        ("booked", "cancelled"),
    ]
    assert (changes[0]["before"]["startsAt"], changes[0]["after"]["startsAt"]) == (made["start"], times[-1]["start"])
    assert {one["who"] for one in changes} == {"front desk"}
    assert changes[0]["id"] == made["visits"][0]["id"]


async def test_conversations_are_listed_answered_and_closed(
    desk: httpx.AsyncClient, api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    _, made = await sams_booking(api, cedar_hill)
    (one,) = (await desk.get(f"{STAFF}/conversations", params={"state": "open"})).json()["items"]
    assert (one["reference"], one["clientName"], one["contact"]) == (made["reference"], "Sam Field", SAMS_PHONE)
    path = f"{STAFF}/conversations/{one['id']}"
    key = {"Idempotency-Key": "reply"}
    replied = await desk.post(f"{path}/replies", json={"message": "See you soon."}, headers=key)
    assert replied.status_code == 201, replied.text
    assert [each["author"] for each in (await desk.get(path)).json()["said"]] == ["booking", "practice"]
    closed = await desk.post(f"{path}/close")
    assert (closed.status_code, closed.json()["state"], closed.json()["export"]) == (200, "closed", None)
    late = await desk.post(f"{path}/replies", json={"message": "Wait!"}, headers={"Idempotency-Key": "late"})
    assert (late.status_code, late.json()["code"]) == (409, "conversation-closed")
    assert (await desk.post(f"{path}/export")).json()["code"] == "nothing-to-export-to"
    reader = await key_for(cedar_hill, "conversations:read")
    assert (await api.post(f"{path}/close", headers=reader)).status_code == 403
