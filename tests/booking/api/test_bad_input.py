"""Input that no client of ours sends, as a fuzzer does: a clear 4xx, whatever it is, and never a fault of ours."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from tests.booking.api.calls import practice_path, slots_query
from tests.widget.cedar_hill import CedarHill


@pytest.mark.parametrize(
    "days",
    [("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31"), ("2026-13-01", "2026-13-02"), ("soon", "later")],
)
async def test_days_that_no_schedule_has_are_refused(
    api: httpx.AsyncClient, cedar_hill: CedarHill, days: tuple[str, str]
) -> None:
    asked = {**slots_query(cedar_hill), "from": days[0], "to": days[1]}
    answer = await api.get(f"{practice_path(cedar_hill)}/slots", params=asked)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("day", ["2000-01-01", "2020-02-29"])
async def test_days_that_are_over_have_no_times_and_name_the_next(
    api: httpx.AsyncClient, cedar_hill: CedarHill, day: str
) -> None:
    asked = {**slots_query(cedar_hill), "from": day, "to": day}
    found = (await api.get(f"{practice_path(cedar_hill)}/slots", params=asked)).json()
    assert [one["slots"] for one in found["days"]] == [[]]
    assert found["next"] > cedar_hill.today.isoformat()


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:00Z", "2020-01-06T10:00:00Z"])
async def test_a_start_that_nobody_can_come_at_is_refused(
    api: httpx.AsyncClient, cedar_hill: CedarHill, start: str
) -> None:
    wanted = {"appointmentType": str(cedar_hill.types["wellness"]), "start": start}
    answer = await api.post(f"{practice_path(cedar_hill)}/holds", json=wanted)
    assert answer.status_code in (409, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"contact": "\\ud800"}', b'{"contact": NaN}', b'{"contact": 1e999}',
        b'{"contact": "' + b"9" * 5000 + b'"}', b"[" * 5000, b'{"unknown": 1}',
    ],
)  # fmt: skip
async def test_a_body_that_is_no_request_is_malformed(
    api: httpx.AsyncClient, cedar_hill: CedarHill, body: bytes
) -> None:
    headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
    answer = await api.post(f"{practice_path(cedar_hill)}/requests", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_character_that_cannot_be_kept_is_malformed(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    asked = {"contact": "a@example.com", "name": "A\0", "patientName": "Zuzu", "species": "dog"}
    headers = {"idempotency-key": str(uuid4())}
    answer = await api.post(f"{practice_path(cedar_hill)}/requests", json=asked, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_body_of_more_than_we_take_is_too_large(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    headers = {"idempotency-key": str(uuid4()), "content-type": "application/json"}
    answer = await api.post(f"{practice_path(cedar_hill)}/requests", content=b" " * 70_000, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    "path", ["holds/nothing/extend", "waitlist/1", "practices/%00", "practices/%ff", "bookings/%00"]
)
async def test_an_address_that_names_nothing_is_not_found_or_not_yours(
    api: httpx.AsyncClient, cedar_hill: CedarHill, path: str
) -> None:
    answer = await (api.post if path.endswith("extend") else api.get)(f"/api/v1/{path}")
    assert answer.status_code in (401, 404)
    assert answer.headers["content-type"] == "application/problem+json"
