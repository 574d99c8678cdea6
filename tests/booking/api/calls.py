"""The calls of the JSON API that more than one test makes, a line each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.widget.cedar_hill import CedarHill

V1 = "/api/v1"


def practice_path(cedar_hill: CedarHill) -> str:
    """Return the beginning of the practice's addresses."""
    return f"{V1}/practices/{cedar_hill.practice.slug}"


async def slots_of(api: httpx.AsyncClient, cedar_hill: CedarHill, *, days: int = 14, **asked: str) -> dict[str, Any]:
    """Return what is offered from today on."""
    answer = await api.get(f"{practice_path(cedar_hill)}/slots", params=slots_query(cedar_hill, days=days, **asked))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def slots_query(cedar_hill: CedarHill, *, days: int = 14, **asked: str) -> dict[str, str]:
    """Return the question for the wellness visits from today on."""
    return {
        "appointmentType": str(cedar_hill.types["wellness"]),
        "from": cedar_hill.today.isoformat(),
        "to": (cedar_hill.today + timedelta(days=days - 1)).isoformat(),
        **asked,
    }


def all_slots(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the slots of all days."""
    return [slot for day in found["days"] for slot in day["slots"]]


async def hold_last(api: httpx.AsyncClient, cedar_hill: CedarHill, **asked: str) -> dict[str, Any]:
    """Hold the last time that is offered, which no notice can reach."""
    slot = all_slots(await slots_of(api, cedar_hill, days=14, **asked))[-1]
    answer = await api.post(f"{practice_path(cedar_hill)}/holds", json={"slotToken": slot["token"]})
    assert answer.status_code == 201, answer.text
    held: dict[str, Any] = answer.json()
    return held


def with_token(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
