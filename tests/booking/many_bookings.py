"""Many bookings in the outbox, a PIMS that misbehaves by a seed, and whether both sides have the same in the end.

Visits are a minute long and at night, so that thousands of them find room; what is tried is their way into the PIMS.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from msgspec import Struct

from availability import Span
from booking.claims import Claimed
from booking.contacts import Contact
from booking.db import claims, clients
from booking.db.claims import Claim, Holder
from booking.db.clients import Client, Patient
from booking.db.connections import Writes
from booking.db.pool import across_practices
from booking.enter import Agreed, Party, enter
from booking.write_back import deliver_due
from pims_adapters.contract import PimsAdapter
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE

MINUTE = timedelta(minutes=1)
FIRST = NOW + timedelta(days=40, hours=2)
A_NIGHT = 360
"""So many visits follow each other in a column, from nine in the evening on; the next ones are a night later."""
CREATIONS = ("create_client", "create_patient", "create_appointment")
FAULTS = {
    "answer_lost": 0.20,
    "reset_before": 0.05,
    "error_after": 0.05,
    "broken_answer": 0.03,
    "rate_limited": 0.05,
    "unavailable": 0.05,
}


class Made(Struct, frozen=True, kw_only=True):
    """A booking: its reference, and whether its client and patient are new."""

    reference: str
    new: bool


class Differences(Struct, frozen=True, kw_only=True):
    """What is not as it should be: bookings that the PIMS does not have, or twice, and those nobody can explain."""

    lost: set[str]
    doubled: set[str]
    unexplained: set[str]


NONE = Differences(lost=set(), doubled=set(), unexplained=set())


async def make_bookings(riverside: Riverside, number: int, *, night: int = 0) -> list[Made]:
    """Put bookings into our records and the outbox, every third one by a new client."""
    practice_id = riverside.practice.practice_id
    made: list[Made] = []
    async with across_practices(riverside.pool) as conn:
        providers: list[UUID] = [
            row["resource_id"]
            for row in await conn.fetch("SELECT resource_id FROM resource WHERE kind = 'provider' ORDER BY name")
        ]
        row = await conn.fetchrow(
            "SELECT c.client_id, c.pims_id, c.given_name, c.family_name FROM client c"
            " WHERE given_name = 'Olivia' AND family_name = 'Carter'"
        )
        assert row is not None
        olivia = Client(**row)
        biscuit = next(
            one for one in await clients.patients_of(conn, practice_id, [olivia.client_id]) if one.name == "Biscuit"
        )
        for n in range(number):
            column, minute = n % len(providers), n // len(providers)
            start = FIRST + timedelta(days=night + minute // A_NIGHT) + minute % A_NIGHT * MINUTE
            party = _new_party(f"{night}-{n}") if n % 3 == 0 else _known_party(olivia, biscuit)
            agreed = _agreed(riverside, party, start, providers[column])
            async with conn.transaction():
                (visit,) = await enter(conn, riverside.practice, agreed, site=SITE, now=NOW)
                lane = Claim(resource_id=providers[column], lane=1, starts_at=start, ends_at=start + MINUTE)
                await claims.insert_claims(conn, practice_id, [(Holder(appointment_id=visit.appointment_id), lane)])
            made.append(Made(reference=visit.reference, new=party.new_client))
    return made


def _agreed(riverside: Riverside, party: Party, start: datetime, provider_id: UUID) -> Agreed:
    return Agreed(
        party=party,
        appointment_type=riverside.types["type-wellness"],
        appointment_ids=[uuid4()],
        claimed=Claimed(
            visits=(Span(start=start, end=start + MINUTE),), resources={"veterinarian": [str(provider_id)]}
        ),
        source="online",
        contact=None,
        writes=Writes(abilities=None, asks=[]),
    )


def _known_party(client: Client, patient: Patient) -> Party:
    return Party(client=client, new_client=False, patients=(patient,), new_patients=frozenset())


def _new_party(name: str) -> Party:
    client = Client(client_id=uuid4(), pims_id=None, given_name="New", family_name=f"Client {name}")
    patient = Patient(
        patient_id=uuid4(),
        client_id=client.client_id,
        pims_id=None,
        name="Zuzu",
        species="dog",
        breed="",
        sex="",
        birth_date=None,
        status="active",
    )
    return Party(
        client=client,
        new_client=True,
        patients=(patient,),
        new_patients=frozenset({patient.patient_id}),
        contacts=(Contact(kind="email", value=f"client{name}@example.com"),),
    )


def order_faults(riverside: Riverside, seed: int, bookings: int, faults: dict[str, float] = FAULTS) -> Counter[str]:
    """Let the PIMS misbehave while it takes so many bookings, by a seed; how often in which way."""
    chance = random.Random(seed)
    names, weights = [*faults, "none"], [*faults.values(), max(0.0, 1 - sum(faults.values()))]
    ordered: Counter[str] = Counter()
    for number in range(bookings):
        for call in CREATIONS if number % 3 == 0 else CREATIONS[2:]:
            (fault,) = chance.choices(names, weights)
            ordered[fault] += 1
            # A slow answer that takes no time is none; it keeps the place of a call that goes well.
            riverside.clinic.order_fault(call, "slow_answer" if fault == "none" else fault, seconds=0)
    return ordered


async def deliver_until_quiet(
    riverside: Riverside,
    adapter: PimsAdapter,
    *,
    begin: datetime = NOW,
    rounds: int = 60,
    at_once: int = 4,
    clock: list[datetime] | None = None,
) -> list[tuple[int, tuple[tuple[str, int], ...]]]:
    """Deliver minute after minute until nothing is on its way; how many lines stood how after each."""
    trace = []
    for n in range(rounds):
        now = begin + n * MINUTE
        if clock is not None:
            clock.append(now)

        def told(now: datetime = now) -> datetime:
            return now

        tried = await deliver_due(
            riverside.pool, adapter, riverside.practice.practice_id, site=SITE, clock=told, at_once=at_once
        )
        async with across_practices(riverside.pool) as conn:
            rows = await conn.fetch("SELECT state, count(*)::int AS n FROM write_back GROUP BY 1 ORDER BY 1")
        trace.append((tried, tuple((row["state"], row["n"]) for row in rows)))
        if not {row["state"] for row in rows} & {"queued", "sending", "unknown"}:
            return trace
    raise AssertionError(f"Still on its way after {rounds} minutes: {trace[-1]}")


async def differences(riverside: Riverside, made: list[Made]) -> Differences:
    """Compare the bookings with what the PIMS has under their keys."""
    async with across_practices(riverside.pool) as conn:
        rows = await conn.fetch("SELECT key, state, reason FROM write_back")
    lines = {row["key"]: row for row in rows}
    lost, doubled, unexplained = set(), set(), set()
    for one in made:
        keys = [("appointments", one.reference)]
        keys += [("clients", f"{one.reference}-C"), ("patients", f"{one.reference}-P")] if one.new else []
        for kind, key in keys:
            found, line = len(riverside.clinic.with_key(kind, key)), lines[key]
            if found > 1:
                doubled.add(key)
            if found == 0 and line["state"] == "written":
                lost.add(key)
            if line["state"] != "written" and not line["reason"]:
                unexplained.add(key)
            if line["state"] != "written" and found == 0 and line["reason"]:
                lost.add(key)
    return Differences(lost=lost, doubled=doubled, unexplained=unexplained)
