"""Connecting a PIMS at the API, from the first question to live: each step resumable, each failure explained."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from booking.connect.credentials import CredentialsUnreadable, opened_settings
from booking.connect.steps import TERMS, note_imported
from booking.connect.trial import do_survey
from booking.db import connections, practices
from booking.db.connection_steps import steps_of
from booking.db.pool import Pool, across_practices, of_practice
from booking.db.practices import Practice
from booking.sync import sync
from pims_adapters import open_adapter
from pims_adapters._agent.protocol import VERSION
from pims_adapters.contract import PimsAdapter
from tests.demo_clinic import DemoClinic, running_clinic
from tests.widget.oak_lane import (
    FROM_HERE,
    SECRET_KEY,
    OakLane,
    browser_of,
    open_oak_lane,
    settings_of,
    sign_in_as,
)

CONNECTION = "/api/v1/staff/connection"
ASKED = {
    "system": "demo",
    "name": "Oak Lane",
    "address": "1 Oak Lane",
    "phone": "(212) 555-0100",
    "contactName": "Kim Ode",
    "contactEmail": "kim@oak-lane.example",
    "terms": TERMS,
}
IMPORT = {"hour": 3, "timezone": "America/New_York", "daysBack": 30}


@pytest.fixture(scope="module")
def clinic() -> Iterator[DemoClinic]:
    with running_clinic(seed_date=datetime.now(UTC).date()) as clinic:
        yield clinic


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def owner(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("owner", browser, oak_lane)
        browser.headers.update(FROM_HERE)
        yield browser


async def ask(owner: httpx.AsyncClient, step: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    """Take a step that is expected to stand; the connection after it."""
    put = step in ("settings", "mapping", "import")
    send = owner.put if put else owner.post
    answer = (
        await send(f"{CONNECTION}/{step}".rstrip("/"), json=body) if body or put else await send(f"{CONNECTION}/{step}")
    )
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def survey(oak_lane: OakLane) -> None:
    """Do what a worker does that was asked for a survey."""
    async with of_practice(oak_lane.pool, oak_lane.practice.practice_id) as conn:
        steps = await steps_of(conn, oak_lane.practice.practice_id)
    assert steps is not None
    assert steps.survey_due_at is not None
    adapter = open_adapter(steps.adapter, opened_settings(steps, SECRET_KEY))

    async def opened() -> PimsAdapter:
        return adapter

    await do_survey(oak_lane.pool, oak_lane.practice, opened, now=datetime.now(UTC))
    await adapter.close()


async def up_to_the_survey(owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic) -> dict[str, Any]:
    await ask(owner, "", **ASKED)
    await ask(owner, "settings", settings=clinic.settings)
    await ask(owner, "check")
    await ask(owner, "survey")
    await survey(oak_lane)
    found: dict[str, Any] = (await owner.get(CONNECTION)).json()
    return found


def mapping_of(oak_lane: OakLane) -> dict[str, Any]:
    """Dr. Lee of the PIMS is our provider; a technician is left out; wellness is our one type."""
    return {
        "resources": [
            {"pimsId": "prov-lee", "becomes": "ours", "ours": str(oak_lane.provider_id), "roles": ["veterinarian"]},
            {"pimsId": "room-1", "becomes": "new", "roles": ["exam_room"]},
            {"pimsId": "tech-alvarez", "becomes": "ignored"},
        ],
        "types": [{"pimsId": "type-wellness", "becomes": "ours", "ours": str(oak_lane.type_id)}],
        "species": {"Ferret": "ferret"},
    }


async def test_a_practice_connects_its_pims_from_the_first_question_to_live(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    assert (await owner.get(CONNECTION)).json()["code"] == "connection-unknown"
    offered = (await owner.get(f"{CONNECTION}/systems")).json()
    assert "demo" in [one["id"] for one in offered["items"]]
    assert offered["terms"] == TERMS

    assert (await ask(owner, "", **ASKED))["next"] == "settings"
    assert (await ask(owner, "settings", settings=clinic.settings))["next"] == "check"
    checked = await ask(owner, "check")
    assert checked["checked"]["name"] == "Riverside Animal Hospital"
    assert checked["next"] == "survey"
    assert (await ask(owner, "survey"))["steps"][3]["by"] == "vetslot"
    await survey(oak_lane)

    surveyed = (await owner.get(CONNECTION)).json()
    assert surveyed["survey"]["counts"]["client"] >= 400
    assert "prov-lee" in [one["pimsId"] for one in surveyed["survey"]["columns"]]
    assert surveyed["next"] == "mapping"
    assert (await ask(owner, "mapping", **mapping_of(oak_lane)))["next"] == "import_settings"
    assert (await ask(owner, "import", **IMPORT))["next"] == "dry_run"
    await ask(owner, "survey")
    await survey(oak_lane)

    tried = (await owner.get(CONNECTION)).json()
    assert tried["next"] == "dry_run"
    assert "ignored_column" in [one["kind"] for one in tried["survey"]["conflicts"]]
    refused = await owner.post(f"{CONNECTION}/go-live", json={})
    assert refused.json()["code"] == "step-out-of-order"
    assert "things that do not fit" in refused.json()["detail"]
    importing = await ask(owner, "go-live", acceptConflicts=True)
    assert (importing["status"], importing["next"]) == ("importing", "import")

    await import_all(oak_lane)
    live = (await owner.get(CONNECTION)).json()
    assert (live["status"], live["next"]) == ("live", None)
    async with across_practices(oak_lane.pool) as conn:
        found = await conn.fetch("SELECT pims_id, roles FROM resource WHERE active")
        linked = await conn.fetchval("SELECT resource_id FROM resource WHERE pims_id = 'prov-lee'")
    ours = {row["pims_id"]: row["roles"] for row in found}
    assert linked == oak_lane.provider_id
    assert (ours["prov-lee"], ours["room-1"]) == (["veterinarian"], ["exam_room"])
    assert "tech-alvarez" not in ours


async def import_all(oak_lane: OakLane) -> None:
    """Do what a worker does with a connection that is importing."""
    practice_id = oak_lane.practice.practice_id
    async with of_practice(oak_lane.pool, practice_id) as conn:
        connection = await connections.connection_of(conn, practice_id)
        steps = await steps_of(conn, practice_id)
    assert connection is not None
    assert steps is not None
    adapter = open_adapter(steps.adapter, opened_settings(steps, SECRET_KEY))
    synced = await sync(oak_lane.pool, adapter, connection, clock=lambda: datetime.now(UTC))
    await adapter.close()
    assert synced.complete
    async with of_practice(oak_lane.pool, practice_id) as conn, conn.transaction():
        await note_imported(conn, practice_id)


async def test_credentials_are_encrypted_and_never_shown(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    await ask(owner, "", **ASKED)
    answer = await owner.put(f"{CONNECTION}/settings", json={"settings": clinic.settings})
    secret = clinic.settings["key"]
    assert secret not in answer.text
    assert secret not in (await owner.get(CONNECTION)).text
    assert secret not in (await owner.get("/api/v1/staff/audit")).text
    async with across_practices(oak_lane.pool) as conn:
        assert secret not in str(await conn.fetch("SELECT connection::text FROM connection"))
    asked = {one["name"]: one["given"] for one in answer.json()["system"]["settings"]}
    assert asked["key"] is True
    # A secret that is left out stays as it is.
    await ask(owner, "settings", settings={"url": clinic.url})
    assert (await ask(owner, "check"))["checked"]["problem"] is None


async def test_credentials_open_only_with_the_key_and_for_the_practice_they_were_entered_for(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic, pool: Pool
) -> None:
    await ask(owner, "", **ASKED)
    await ask(owner, "settings", settings=clinic.settings)
    other = await open_oak_lane(pool, "other-lane")
    async with across_practices(pool) as conn:
        await conn.execute(
            "INSERT INTO connection (practice_id, connection_id, adapter, settings, status, sealed)"
            " SELECT $1, connection_id, adapter, settings, status, sealed FROM connection",
            other.practice.practice_id,
        )
        mine = await steps_of(conn, oak_lane.practice.practice_id)
        stolen = await steps_of(conn, other.practice.practice_id)
    assert mine is not None
    assert stolen is not None
    assert opened_settings(mine, SECRET_KEY)["key"] == clinic.settings["key"]
    for steps, key in ((stolen, SECRET_KEY), (mine, b"another key of thirty-two bytes!!")):
        with pytest.raises(CredentialsUnreadable):
            opened_settings(steps, key)


async def test_what_is_wrong_with_settings_is_told_field_by_field(owner: httpx.AsyncClient) -> None:
    await ask(owner, "", **ASKED)
    refused = await owner.put(
        f"{CONNECTION}/settings", json={"settings": {"url": "http://127.0.0.1:1", "color": "magenta"}}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "settings-refused")
    assert [one["path"] for one in refused.json()["errors"]] == ["settings.color", "settings.key"]
    assert "magenta" not in refused.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "http://127.0.0.1:9"}, "No connection to the PIMS"),
        ({"key": "wrong"}, "does not accept this connection"),
        ({"url": "ftp://somewhere"}, "must be a whole address"),
    ],
)
async def test_a_check_that_fails_says_why_and_can_be_repeated(
    owner: httpx.AsyncClient, clinic: DemoClinic, wrong: dict[str, str], words: str
) -> None:
    await ask(owner, "", **ASKED)
    await ask(owner, "settings", settings=clinic.settings | wrong)
    failed = await ask(owner, "check")
    assert words in failed["checked"]["problem"]
    assert failed["next"] == "check"
    assert failed["steps"][2]["explanation"] == failed["checked"]["problem"]
    assert (await owner.post(f"{CONNECTION}/survey")).json()["code"] == "step-out-of-order"
    await ask(owner, "settings", settings=clinic.settings)
    assert (await ask(owner, "check"))["next"] == "survey"


async def test_the_pims_of_another_practice_is_noticed(owner: httpx.AsyncClient, clinic: DemoClinic) -> None:
    await ask(owner, "", **ASKED)
    await ask(owner, "settings", settings=clinic.settings, practiceIdentifier="somebody-else")
    assert "another practice" in (await ask(owner, "check"))["checked"]["problem"]
    identifier = (await ask(owner, "check"))["checked"]["pimsId"]
    await ask(owner, "settings", settings=clinic.settings, practiceIdentifier=identifier)
    assert (await ask(owner, "check"))["checked"]["problem"] is None


async def test_a_mapping_joins_one_thing_with_one_other(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    await up_to_the_survey(owner, oak_lane, clinic)
    mine = str(oak_lane.provider_id)
    wrong = {
        "resources": [
            {"pimsId": "prov-lee", "becomes": "ours", "ours": mine},
            {"pimsId": "prov-lee", "becomes": "ours", "ours": mine},
            {"pimsId": "nobody", "becomes": "new"},
            {"pimsId": "room-1", "becomes": "ours"},
            {"pimsId": "room-2", "becomes": "ours", "ours": str(oak_lane.type_id)},
        ]
    }
    refused = await owner.put(f"{CONNECTION}/mapping", json=wrong)
    assert refused.json()["code"] == "settings-refused"
    paths = [one["path"] for one in refused.json()["errors"]]
    assert paths == ["resources[1]", "resources[2].pimsId", "resources[3].ours", "resources[4].ours"]
    assert (await owner.get(CONNECTION)).json()["mapping"] is None


async def test_a_mapping_changed_after_the_dry_run_is_tried_again_before_it_goes_live(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    await up_to_the_survey(owner, oak_lane, clinic)
    await ask(owner, "mapping", **mapping_of(oak_lane))
    await ask(owner, "import", **IMPORT)
    await ask(owner, "survey")
    await survey(oak_lane)
    await ask(owner, "mapping", **{**mapping_of(oak_lane), "resources": []})
    refused = await owner.post(f"{CONNECTION}/go-live", json={"acceptConflicts": True})
    assert "Try the import" in refused.json()["detail"]


async def test_another_time_zone_blocks_the_import_however_often_it_is_accepted(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    async with across_practices(oak_lane.pool) as conn:
        await conn.execute("UPDATE practice SET timezone = 'America/Phoenix'")
    elsewhere = OakLane(oak_lane.pool, replace_zone(oak_lane), oak_lane.type_id, oak_lane.provider_id)
    await up_to_the_survey(owner, elsewhere, clinic)
    await ask(owner, "mapping")
    await ask(owner, "import", **IMPORT)
    await ask(owner, "survey")
    await survey(elsewhere)
    refused = await owner.post(f"{CONNECTION}/go-live", json={"acceptConflicts": True})
    assert "time zone America/New_York" in refused.json()["detail"]


def replace_zone(oak_lane: OakLane) -> Practice:
    return msgspec.structs.replace(oak_lane.practice, timezone="America/Phoenix")


async def test_a_visit_booked_with_us_that_meets_another_in_the_pims_is_found_by_the_dry_run(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    booked = await oak_lane.book()
    visit = booked.appointments[0]
    await up_to_the_survey(owner, oak_lane, clinic)
    clinic.post(
        "/staff/appointments",
        start=(visit.starts_at - timedelta(minutes=10)).isoformat(),
        end=(visit.starts_at + timedelta(minutes=10)).isoformat(),
        columns=["prov-lee"],
    )
    await ask(owner, "mapping", **mapping_of(oak_lane))
    await ask(owner, "survey")
    await survey(oak_lane)
    conflicts = (await owner.get(CONNECTION)).json()["survey"]["conflicts"]
    assert "double_booking" in [one["kind"] for one in conflicts]


async def test_a_survey_that_fails_says_why_and_writes_nothing(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    await ask(owner, "", **ASKED)
    await ask(owner, "settings", settings=clinic.settings)
    await ask(owner, "check")
    await ask(owner, "survey")
    clinic.order_fault("changes", "unavailable")
    await survey(oak_lane)
    failed = (await owner.get(CONNECTION)).json()
    assert failed["next"] == "survey"
    assert "The PIMS failed" in failed["steps"][3]["explanation"]
    async with across_practices(oak_lane.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM client") == 0
    await ask(owner, "survey")
    await survey(oak_lane)
    assert (await owner.get(CONNECTION)).json()["next"] == "mapping"


async def test_a_connection_is_paused_with_a_reason_and_goes_on(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    await up_to_the_survey(owner, oak_lane, clinic)
    assert (await owner.post(f"{CONNECTION}/pause", json={"because": "x"})).json()["code"] == "step-out-of-order"
    async with across_practices(oak_lane.pool) as conn:
        await conn.execute("UPDATE connection SET status = 'live'")
    paused = await ask(owner, "pause", because="New server on Monday")
    assert (paused["status"], paused["pausedBecause"]) == ("paused", "New server on Monday")
    async with across_practices(oak_lane.pool) as conn:
        assert await connections.working_connections(conn) == []
    assert (await ask(owner, "resume"))["status"] == "importing"


async def test_a_practice_has_one_connection_at_a_time(owner: httpx.AsyncClient) -> None:
    await ask(owner, "", **ASKED)
    assert (await owner.post(CONNECTION, json=ASKED)).json()["code"] == "connection-begun"


@pytest.mark.parametrize(
    ("wrong", "code"), [({"system": "nonesuch"}, "system-unknown"), ({"terms": "1999-01"}, "terms-not-accepted")]
)
async def test_a_question_that_cannot_stand_begins_nothing(
    owner: httpx.AsyncClient, wrong: dict[str, str], code: str
) -> None:
    assert (await owner.post(CONNECTION, json=ASKED | wrong)).json()["code"] == code
    assert (await owner.get(CONNECTION)).status_code == 404


async def test_only_owners_and_managers_connect(oak_lane: OakLane, database_url: str, redis_url: str) -> None:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("front_desk", browser, oak_lane)
        assert (await browser.post(CONNECTION, json=ASKED, headers=FROM_HERE)).json()["code"] == "scope-missing"
        assert (await browser.get(CONNECTION)).json()["code"] == "scope-missing"


async def test_each_step_is_in_the_audit_log(owner: httpx.AsyncClient, clinic: DemoClinic) -> None:
    await ask(owner, "", **ASKED)
    await ask(owner, "settings", settings=clinic.settings)
    told = (await owner.get("/api/v1/staff/audit")).json()["items"]
    assert [one["after"]["step"] for one in told if one["what"] == "connection"] == ["settings", "begun"]


async def test_a_system_behind_an_agent_waits_for_it_with_a_token_that_is_shown_once(
    owner: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    begun = await ask(owner, "", **ASKED | {"system": "cornerstone"})
    assert begun["next"] == "activation"
    await ask(owner, "activation", done=False)
    first = await owner.post(f"{CONNECTION}/agent-token", headers={"Idempotency-Key": "one"})
    again = await owner.post(f"{CONNECTION}/agent-token", headers={"Idempotency-Key": "one"})
    assert first.json() == again.json()
    token = first.json()["token"]
    assert token not in (await owner.get(CONNECTION)).text
    hello = {
        "protocol": VERSION,
        "instance": "i-1",
        "agentVersion": "1",
        "system": "cornerstone",
        "practice": "p-1",
        "practiceName": "Oak Lane",
        "timezone": oak_lane.practice.timezone,
        "clock": datetime.now(UTC).isoformat(),
    }
    greeted = await owner.post("/agent/v1/hello", json=hello, headers={"Authorization": f"Bearer {token}"})
    assert greeted.is_success, greeted.text
    assert (await owner.get(CONNECTION)).json()["status"] == "ready_for_setup"
    await owner.post(f"{CONNECTION}/agent-token/revoke")
    refused = await owner.post("/agent/v1/hello", json=hello, headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 401


async def test_a_system_that_speaks_itself_has_no_agent_to_let_in(owner: httpx.AsyncClient) -> None:
    await ask(owner, "", **ASKED)
    refused = await owner.post(f"{CONNECTION}/agent-token", headers={"Idempotency-Key": "one"})
    assert refused.json()["code"] == "no-agent-needed"


async def test_a_system_whose_data_are_old_by_nature_is_allowed_that_age(
    owner: httpx.AsyncClient, oak_lane: OakLane, clinic: DemoClinic
) -> None:
    await up_to_the_survey(owner, oak_lane, clinic)
    await ask(owner, "mapping", **mapping_of(oak_lane))
    await ask(owner, "import", **IMPORT)
    await ask(owner, "survey")
    await survey(oak_lane)
    async with across_practices(oak_lane.pool) as conn:
        # As if Cornerstone had been surveyed, through an agent that is not here.
        await conn.execute("UPDATE connection SET adapter = 'cornerstone', settings = '{\"practice\": \"p\"}'")
    await ask(owner, "go-live", acceptConflicts=True)
    async with across_practices(oak_lane.pool) as conn:
        practice = await practices.practice_by_id(conn, oak_lane.practice.practice_id)
    assert practice is not None
    assert practice.freshness_limit == timedelta(minutes=45)
