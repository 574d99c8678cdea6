"""The set-up over the API: every change is checked, numbered, told in the audit log, and can be taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from booking.db.pool import Pool, across_practices
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as

ROOT = "/api/v1/staff"
SETUP = f"{ROOT}/configuration"
RULE = {
    "name": "No checkups before noon",
    "effect": "deny",
    "when": [{"starts": "2026-01-01T00:00:00", "duration": "PT12H", "rrule": "FREQ=DAILY"}],
}


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def owner(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("owner", browser, oak_lane)
        browser.headers.update(FROM_HERE)
        yield browser


async def create(owner: httpx.AsyncClient, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Create one thing, which must succeed."""
    answer = await owner.post(f"{SETUP}/{kind}", json=settings, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(owner: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    answer = await owner.get(f"{SETUP}/{kind}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def schedule_version(oak_lane: OakLane) -> int:
    async with across_practices(oak_lane.pool) as conn:
        return int(await conn.fetchval("SELECT schedule_version FROM practice"))


async def test_every_kind_can_be_created_read_changed_and_retired(owner: httpx.AsyncClient, oak_lane: OakLane) -> None:
    (provider,) = [one for one in await listed(owner, "resources") if one["settings"]["kind"] == "provider"]
    hours = [{"starts": "2026-01-05T09:00:00", "duration": "PT28800S", "rrule": "FREQ=WEEKLY;BYDAY=MO"}]
    step = {"duration": "PT20M", "needs": [{"role": "technician"}]}
    for kind, settings, changed in (
        ("rules", RULE, {"name": "Mornings are for surgery"}),
        ("closures", {"name": "Holiday", "first": "2026-12-24", "last": "2026-12-26"}, {"last": "2026-12-27"}),
        ("block-offs", {"resourceId": provider["id"], "time": hours[0]}, {"reason": "Lunch"}),
        ("questions", {"label": "Any allergies?", "kind": "text"}, {"required": True}),
        ("resources", {"name": "Exam room 2", "kind": "room", "roles": ["exam_room"]}, {"hours": hours}),
        ("appointment-types", {"name": "Nail trim", "species": ["dog"], "steps": [step]}, {"bookableOnline": True}),
    ):
        made = (await create(owner, kind, settings))["entry"]
        path = f"{SETUP}/{kind}/{made['id']}"
        read = await owner.get(path)
        assert read.json() == made
        assert read.headers["etag"] == f'"{made["tag"]}"'
        saved = await owner.put(path, json={**made["settings"], **changed}, headers={"If-Match": read.headers["etag"]})
        assert saved.status_code == 200, saved.text
        assert saved.json()["entry"]["settings"] == {**made["settings"], **changed}
        assert (await owner.post(f"{path}/retire")).status_code == 200
        assert (await owner.get(path)).status_code == 404
        assert made["id"] not in [one["id"] for one in await listed(owner, kind)]


async def test_the_practice_itself_is_changed_but_neither_made_nor_retired(
    owner: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    (practice,) = await listed(owner, "practice")
    path = f"{SETUP}/practice/{practice['id']}"
    wanted = {**practice["settings"], "whoMayBook": "existing_clients", "holdFor": "PT300S", "languages": ["en", "es"]}
    assert (await owner.put(path, json=wanted)).json()["entry"]["settings"] == wanted
    profile = await owner.get(f"/api/v1/practices/{oak_lane.practice.slug}")
    assert profile.json()["whoMayBook"] == "existing_clients"
    assert (await owner.post(f"{path}/retire")).status_code in (404, 405)
    assert (await owner.post(f"{SETUP}/practice", json=wanted)).status_code == 405


async def test_a_change_is_in_the_next_offer_in_one_version_and_one_audit_entry(
    owner: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    before, version = (await oak_lane.offer()).days[0].slots, await schedule_version(oak_lane)
    made = await create(owner, "rules", RULE)
    assert len((await oak_lane.offer()).days[0].slots) < len(before)
    assert await schedule_version(oak_lane) > version
    (entry,) = (await owner.get(f"{ROOT}/audit")).json()["items"]
    assert (entry["version"], entry["what"], entry["id"], entry["who"]) == (1, "rule", made["entry"]["id"], "owner")
    assert entry["before"] is None
    assert entry["after"]["name"] == RULE["name"]
    assert (await owner.get(f"{SETUP}/versions/1")).json() == entry


async def test_what_is_wrong_is_told_by_field_and_nothing_is_changed(
    owner: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    version = await schedule_version(oak_lane)
    for kind, settings, path, words in (
        ("rules", {**RULE, "when": [{**RULE["when"][0], "rrule": "FREQ=SOMETIMES"}]}, "when[0].rrule", "rule"),  # type: ignore[dict-item]
        ("rules", {**RULE, "resources": [str(uuid4())]}, "resources[0]", "no such resource"),
        ("rules", {**RULE, "release": "PT1H"}, "release", "belongs to rules that reserve"),
        ("closures", {"name": "Back", "first": "2026-12-26", "last": "2026-12-24"}, "last", "before the first"),
        ("questions", {"label": "Which?", "kind": "choice"}, "choices", "needs choices"),
        (
            "appointment-types",
            {
                "name": "Odd",
                "steps": [{"duration": "PT30M", "needs": [{"role": "veterinarian"}]}],
                "grid": {"starts": ["9:00"]},
            },
            "grid.starts[0]",
            "time of day",
        ),
        ("appointment-types", {"name": "Nobody", "bookableOnline": True}, "steps", "Nobody is assigned"),
        (
            "resources",
            {
                "name": "X",
                "kind": "room",
                "overrides": [{"date": "2026-03-02", "hours": [{"from": "9", "to": "10:00"}]}],
            },
            "overrides[0].hours[0].from",
            "time of day",
        ),
    ):
        answer = await owner.post(f"{SETUP}/{kind}", json=settings, headers={"Idempotency-Key": str(uuid4())})
        assert (answer.status_code, answer.json()["code"]) == (422, "configuration-refused"), answer.text
        (wrong,) = answer.json()["errors"]
        assert wrong["path"] == path
        assert words in wrong["message"]
    assert await schedule_version(oak_lane) == version
    assert (await owner.get(f"{ROOT}/audit")).json() == {"items": [], "next": None}


async def test_what_nobody_knows_is_refused_as_malformed(owner: httpx.AsyncClient) -> None:
    malformed: tuple[Any, ...] = (
        {**RULE, "colour": "red"},
        {**RULE, "effect": "sometimes"},
        {"name": ""},
        [],
        None,
        {**RULE, "name": "a\0b"},
    )
    for settings in malformed:
        answer = await owner.post(f"{SETUP}/rules", json=settings, headers={"Idempotency-Key": str(uuid4())})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_who_looked_before_somebody_else_changed_it_is_told(owner: httpx.AsyncClient, oak_lane: OakLane) -> None:
    entry = (await create(owner, "rules", RULE))["entry"]
    path = f"{SETUP}/rules/{entry['id']}"
    old = {"If-Match": f'"{entry["tag"]}"'}
    assert (await owner.put(path, json={**RULE, "name": "First"}, headers=old)).status_code == 200
    late = await owner.put(path, json={**RULE, "name": "Second"}, headers=old)
    assert (late.status_code, late.json()["code"]) == (412, "changed-meanwhile")
    assert (await owner.post(f"{path}/retire", headers=old)).status_code == 412
    assert (await owner.get(path)).json()["settings"]["name"] == "First"


async def test_what_the_pims_owns_is_the_pims_s_to_change(owner: httpx.AsyncClient) -> None:
    (provider,) = [one for one in await listed(owner, "resources") if one["settings"]["kind"] == "provider"]
    path = f"{SETUP}/resources/{provider['id']}"
    assert provider["fromPims"] is True
    renamed = await owner.put(path, json={**provider["settings"], "name": "Dr. Other"})
    assert (renamed.status_code, renamed.json()["code"]) == (409, "owned-by-pims")
    assert (await owner.post(f"{path}/retire")).status_code == 409
    assert (
        await owner.put(path, json={**provider["settings"], "roles": ["veterinarian", "surgeon"]})
    ).status_code == 200


async def test_a_creation_is_made_once_per_key(owner: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "once"}
    first = await owner.post(f"{SETUP}/rules", json=RULE, headers=key)
    again = await owner.post(f"{SETUP}/rules", json=RULE, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(await listed(owner, "rules")) == 1
    other = await owner.post(f"{SETUP}/rules", json={**RULE, "name": "Other"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    missing = await owner.post(f"{SETUP}/rules", json=RULE)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency-key-missing")


async def test_every_change_can_be_taken_back_by_a_change_of_its_own(owner: httpx.AsyncClient) -> None:
    entry = (await create(owner, "rules", RULE))["entry"]
    path = f"{SETUP}/rules/{entry['id']}"
    await owner.put(path, json={**RULE, "name": "Renamed"})
    await owner.post(f"{path}/retire")
    for number, name in ((3, "Renamed"), (2, RULE["name"])):
        taken_back = await owner.post(f"{SETUP}/versions/{number}/revert")
        assert taken_back.status_code == 200, taken_back.text
        assert (await owner.get(path)).json()["settings"]["name"] == name
    assert (await owner.post(f"{SETUP}/versions/1/revert")).status_code == 200
    assert await listed(owner, "rules") == []
    versions = (await owner.get(f"{SETUP}/versions?limit=4")).json()
    assert [one["version"] for one in versions["items"]] == [6, 5, 4, 3]
    rest = (await owner.get(f"{SETUP}/versions?limit=4&after={versions['next']}")).json()
    assert ([one["version"] for one in rest["items"]], rest["next"]) == ([2, 1], None)


async def test_what_no_longer_fits_is_not_brought_back(owner: httpx.AsyncClient) -> None:
    room = (await create(owner, "resources", {"name": "Exam room 2", "kind": "room"}))["entry"]
    rule = await create(owner, "rules", {**RULE, "resources": [room["id"]]})
    gone = (await owner.post(f"{SETUP}/rules/{rule['entry']['id']}/retire")).json()
    await owner.post(f"{SETUP}/resources/{room['id']}/retire")
    refused = await owner.post(f"{SETUP}/versions/{gone['version']}/revert")
    assert (refused.status_code, refused.json()["code"]) == (422, "configuration-refused")
    assert "no such resource" in refused.json()["errors"][0]["message"]
    key = await owner.post(
        f"{ROOT}/keys", json={"name": "K", "scopes": ["clients:read"]}, headers={"Idempotency-Key": "k"}
    )
    assert key.status_code == 201
    newest = (await owner.get(f"{ROOT}/audit?limit=1")).json()["items"][0]["version"]
    refused = await owner.post(f"{SETUP}/versions/{newest}/revert")
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot-be-reverted")


async def test_the_lint_comes_with_the_change_and_by_itself(owner: httpx.AsyncClient) -> None:
    step = {"duration": "PT30M", "needs": [{"role": "surgeon"}]}
    saved = await create(
        owner, "appointment-types", {"name": "Consult", "species": ["dog"], "steps": [step], "bookableOnline": True}
    )
    words = [one["words"] for one in saved["warnings"]]
    assert "“Consult” can never be booked: nobody has the role “surgeon”." in words
    assert (await owner.get(f"{SETUP}/lint")).json()["warnings"] == saved["warnings"]


async def test_a_preview_shows_two_weeks_with_and_without_and_writes_nothing(
    owner: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    version = await schedule_version(oak_lane)
    shown = await owner.post(f"{SETUP}/preview", json={"kind": "rule", "settings": RULE})
    assert shown.status_code == 200, shown.text
    days = shown.json()["days"]
    assert len(days) == 14
    assert days[3]["before"] == 48
    assert days[3]["after"] == 24
    assert len(days[3]["removed"]) == 24
    assert days[3]["added"] == []
    assert {one["appointmentType"] for one in days[3]["removed"]} == {str(oak_lane.type_id)}
    assert await listed(owner, "rules") == []
    assert await schedule_version(oak_lane) == version
    rule = (await create(owner, "rules", RULE))["entry"]
    retired = (await owner.post(f"{SETUP}/preview", json={"kind": "rule", "id": rule["id"]})).json()["days"]
    assert [(day["before"], day["after"]) for day in retired[1:]] == [(day["after"], day["before"]) for day in days[1:]]
    wrong = await owner.post(f"{SETUP}/preview", json={"kind": "rule", "settings": {**RULE, "when": []}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "configuration-refused")


async def test_staff_are_told_why_a_time_is_not_offered(owner: httpx.AsyncClient, oak_lane: OakLane) -> None:
    await create(owner, "rules", RULE)
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    path = f"/api/v1/practices/{oak_lane.practice.slug}/slots/explain"
    asked = {"appointmentType": str(oak_lane.type_id), "start": f"{day}T10:10:00-05:00"}
    answer = await owner.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["bookable"] is False
    words = [one["words"] for one in answer.json()["blockers"][0]]
    assert "Visits of this type do not start at this time of day." in words
    assert any(RULE["name"] in one for one in words)
    elsewhere = await owner.get("/api/v1/practices/elm-road/slots/explain", params=asked)
    assert elsewhere.status_code == 404


async def test_clients_are_found_by_name_and_contact_and_shown_with_all_that_is_theirs(
    owner: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    await oak_lane.book()
    for query in ("had", "haddad noor", "(212) 555-0777"):
        (found,) = (await owner.post(f"{ROOT}/clients/search", json={"query": query})).json()["items"]
        assert (found["givenName"], found["familyName"]) == ("Noor", "Haddad")
    for query in ("100%", "__", "nobody@example.com"):
        assert (await owner.post(f"{ROOT}/clients/search", json={"query": query})).json() == {"items": []}
    (found,) = (await owner.post(f"{ROOT}/clients/search", json={"query": "Noor"})).json()["items"]
    shown = (await owner.get(f"{ROOT}/clients/{found['id']}")).json()
    assert [one["value"] for one in shown["contacts"]] == ["+12125550777"]
    assert [one["name"] for one in shown["patients"]] == ["Zuzu"]
    assert [one["patient"] for one in shown["appointments"]] == ["Zuzu"]
