"""Holds over HTTP: a time kept for whoever has the secret, extended once, and free at once when let go."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from booking.slot_token import LIVES, SlotTokenRefused, read_token, signer
from tests.booking.api.calls import V1, all_slots, hold_last, practice_path, slots_of, with_token
from tests.widget.cedar_hill import CedarHill

KEY = b"a key of thirty-two bytes or more"


async def test_a_hold_may_name_its_type_and_start(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    slot = all_slots(await slots_of(api, cedar_hill))[-1]
    wanted = {"appointmentType": str(cedar_hill.types["wellness"]), "start": slot["start"], "patients": ["cat"]}
    answer = await api.post(f"{practice_path(cedar_hill)}/holds", json=wanted)
    assert answer.status_code == 201
    assert answer.json()["start"] == slot["start"]


async def test_who_comes_late_is_offered_other_times_that_can_be_held(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    slot = all_slots(await slots_of(api, cedar_hill))[-1]
    path = f"{practice_path(cedar_hill)}/holds"
    answers = await asyncio.gather(*(api.post(path, json={"slotToken": slot["token"]}) for _ in range(8)))
    won = [one for one in answers if one.status_code == 201]
    lost = [one for one in answers if one.status_code == 409]
    assert len(won) == 1  # one room
    assert len(lost) == 7
    problem = lost[0].json()
    assert (problem["code"], problem["retryable"]) == ("slot-taken", False)
    again = await api.post(path, json={"slotToken": problem["alternatives"][0]["token"]})
    assert again.status_code == 201


async def test_a_hold_is_extended_once(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    held = await hold_last(api, cedar_hill)
    path, secret = f"{V1}/holds/{held['id']}/extend", with_token(held["secret"])
    first, second = await api.post(path, headers=secret), await api.post(path, headers=secret)
    assert first.status_code == 200
    assert first.json()["expiresAt"] > held["expiresAt"]
    assert (second.status_code, second.json()["code"]) == (409, "hold-not-extended")


async def test_a_hold_let_go_frees_its_time_at_once(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    held = await hold_last(api, cedar_hill)
    assert held["start"] not in {slot["start"] for slot in all_slots(await slots_of(api, cedar_hill))}
    gone = await api.delete(f"{V1}/holds/{held['id']}", headers=with_token(held["secret"]))
    assert gone.status_code == 204
    assert held["start"] in {slot["start"] for slot in all_slots(await slots_of(api, cedar_hill))}


@pytest.mark.parametrize("secret", ["", "hs_nothing", "hs_AAAAAAAAAAAAAAAAAAAAAA_x", "cs_AAAAAAAAAAAAAAAAAAAAAA_x"])
async def test_without_its_secret_there_is_no_hold(api: httpx.AsyncClient, cedar_hill: CedarHill, secret: str) -> None:
    held = await hold_last(api, cedar_hill)
    for call in (api.post(f"{V1}/holds/{held['id']}/extend", headers=with_token(secret)),
                 api.delete(f"{V1}/holds/{held['id']}", headers=with_token(secret))):  # fmt: skip
        answer = await call
        assert (answer.status_code, answer.json()["code"]) == (404, "hold-unknown")


async def test_a_hold_of_nothing_is_refused(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    answer = await api.post(f"{practice_path(cedar_hill)}/holds", json={})
    assert (answer.status_code, answer.json()["code"]) == (422, "wish-unclear")


async def test_an_unknown_field_is_named(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    answer = await api.post(f"{practice_path(cedar_hill)}/holds", json={"slot": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert "slot" in answer.json()["errors"][0]["message"]


def test_a_token_is_its_practices_own_and_grows_old(cedar_hill: CedarHill) -> None:
    practice_id, wish = cedar_hill.practice.practice_id, cedar_hill.wish()
    at = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
    start = at + timedelta(days=2)
    token = signer(KEY, practice_id, wish, at)(start)
    assert read_token(KEY, practice_id, token, at) == (wish, start)
    other = cedar_hill.types["wellness"]
    for key, of, text, now in [
        (b"another key", practice_id, token, at),
        (KEY, other, token, at),
        (KEY, practice_id, "A" + token[1:] if token[0] != "A" else "B" + token[1:], at),
        (KEY, practice_id, token, at + LIVES + timedelta(minutes=1)),
        (KEY, practice_id, "", at),
        (KEY, practice_id, "é", at),
    ]:
        with pytest.raises(SlotTokenRefused):
            read_token(key, of, text, now)


async def test_the_same_key_is_given_the_same_hold_again(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    slots = all_slots(await slots_of(api, cedar_hill))
    path, key = f"{practice_path(cedar_hill)}/holds", {"Idempotency-Key": "lost answer"}
    first, again = [await api.post(path, json={"slotToken": slots[-1]["token"]}, headers=key) for _ in range(2)]
    other = await api.post(path, json={"slotToken": slots[0]["token"]}, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    let_go = await api.delete(f"{V1}/holds/{first.json()['id']}", headers=with_token(again.json()["secret"]))
    assert let_go.status_code == 204
    late = await api.post(path, json={"slotToken": slots[-1]["token"]}, headers=key)
    assert (late.status_code, late.json()["code"]) == (404, "hold-unknown")
