"""Whatever a PIMS does and whenever a worker dies: each booking comes into the PIMS once, or staff are told why not.

With `VETSLOT_PROVE=1` (`make prove`) it is 10,000 bookings and fifty workers killed; else a sample. Each guard is then
taken away, and the same comparison finds what it guards against.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from pims_adapters import contract as pims
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.exchange import Exchange
from tests.booking.conftest import NOW, Riverside
from tests.booking.deliver_process import Order
from tests.booking.lesser_pims import Lagging
from tests.booking.many_bookings import (
    MINUTE,
    NONE,
    deliver_until_quiet,
    differences,
    make_bookings,
    order_faults,
)
from tests.demo_clinic import opened

PROVE = os.environ.get("VETSLOT_PROVE") == "1"
BOOKINGS, KILLED = (10_000, 50) if PROVE else (60, 3)
FEW = 24
ROOT = Path(__file__).parents[2]


async def test_what_was_booked_is_in_the_pims_once_whatever_the_pims_does_and_whenever_a_worker_dies(
    connected: Riverside,
) -> None:
    made = await make_bookings(connected, BOOKINGS)
    ordered = order_faults(connected, 7, BOOKINGS)
    assert ordered["answer_lost"] >= BOOKINGS * 0.2
    moments = random.Random(7)
    for number in range(KILLED):
        order = Order(
            database_url=connected.database_url,
            practice_id=connected.practice.practice_id,
            settings=connected.clinic.settings,
            now=NOW + number * MINUTE,
        )
        await deliver_and_be_killed(order, moments.uniform(0.0, 0.4))
    adapter = opened(connected.clinic.settings)
    await deliver_until_quiet(connected, adapter, begin=NOW + KILLED * MINUTE, rounds=400)
    await adapter.close()
    assert await differences(connected, made) == NONE


async def deliver_and_be_killed(order: Order, after: float) -> None:
    """Let a process deliver, and kill it in the middle."""
    command = (sys.executable, "-m", "tests.booking.deliver_process")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    assert await process.stdout.readline() == b"ready\n"
    await asyncio.sleep(after)
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_a_pims_that_shows_late_what_it_took_gets_each_booking_once(connected: Riverside) -> None:
    made = await make_bookings(connected, FEW)
    order_faults(connected, 11, FEW)
    clock = [NOW]
    adapter = Lagging(connected.clinic.settings, lambda: clock[-1])
    await deliver_until_quiet(connected, adapter, rounds=200, clock=clock)
    await adapter.close()
    assert await differences(connected, made) == NONE


async def test_the_same_seed_leaves_the_same_trace(connected: Riverside) -> None:
    traces = []
    for night in (0, 20):
        made = await make_bookings(connected, FEW, night=night)
        order_faults(connected, 13, FEW)
        random.seed(13)
        adapter = opened(connected.clinic.settings)
        begin = NOW if night == 0 else NOW + 600 * MINUTE
        traces.append(await deliver_until_quiet(connected, adapter, begin=begin, at_once=1))
        await adapter.close()
        connected.clinic.reset_faults()
        assert await differences(connected, made) == NONE
    first, second = traces
    before = dict(first[-1][1])
    assert [tried for tried, _ in first] == [tried for tried, _ in second]
    assert [dict(states) for _, states in first] == [
        {state: n - before.get(state, 0) for state, n in states if n - before.get(state, 0)} for _, states in second
    ]


class Believing(DemoAdapter):
    """An adapter that does not read back: it repeats what it sent."""

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(Exchange.of(settings))
        self.sent: dict[str, tuple[str, pims.AppointmentDraft]] = {}

    async def create_appointment(self, draft: pims.AppointmentDraft, key: str) -> str:
        pims_id = await super().create_appointment(draft, key)
        self.sent[pims_id] = key, draft
        return pims_id

    async def read(self, kind: pims.Kind, pims_id: str) -> pims.Client | pims.Patient | pims.Appointment | None:
        if pims_id not in self.sent:
            return await super().read(kind, pims_id)
        key, draft = self.sent[pims_id]
        return pims.Appointment(
            pims_id=pims_id, start=draft.start, end=draft.end, resources=draft.resources, marker=key
        )


class Hasty(Believing):
    """An adapter that says that it is done before the PIMS has answered."""

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(settings)
        self._on_their_way: list[asyncio.Task[str]] = []

    async def create_appointment(self, draft: pims.AppointmentDraft, key: str) -> str:
        self._on_their_way.append(asyncio.create_task(DemoAdapter.create_appointment(self, draft, key)))
        self.sent[f"early-{key}"] = key, draft
        return f"early-{key}"

    async def close(self) -> None:
        await asyncio.gather(*self._on_their_way, return_exceptions=True)
        await super().close()


class Forgetful(DemoAdapter):
    """An adapter that never finds what carries our key."""

    async def find(self, kind: pims.Kind, key: str) -> str | None:  # noqa: ARG002
        return None


class Impatient(Lagging):
    """An adapter that does not say that its PIMS shows things late; the first answer about a client is lost."""

    write_lag = MINUTE * 0

    async def create_client(self, draft: pims.ClientDraft, key: str) -> str:  # type: ignore[override]
        again = key in self.sent
        self.sent.setdefault(key, [self._clock()])
        pims_id = await DemoAdapter.create_client(self, draft, key)
        if again:
            return pims_id
        raise pims.PimsUnavailable("No answer.", outcome_unknown=True)

    async def create_patient(self, draft: pims.PatientDraft, key: str) -> str:  # type: ignore[override]
        return await DemoAdapter.create_patient(self, draft, key)

    async def create_appointment(self, draft: pims.AppointmentDraft, key: str) -> str:  # type: ignore[override]
        return await DemoAdapter.create_appointment(self, draft, key)


async def lost_and_doubled(
    riverside: Riverside,
    adapter: DemoAdapter,
    fault: str | None,
    *,
    on: str = "create_appointment",
    clock: list[datetime] | None = None,
    night: int = 0,
) -> tuple[bool, bool]:
    """Say whether bookings are lost or doubled where the first of their creations meet one kind of fault."""
    made = await make_bookings(riverside, FEW, night=night)
    if fault is not None:
        riverside.clinic.order_fault(on, fault, times=FEW // 6)
    await deliver_until_quiet(riverside, adapter, clock=clock)
    await adapter.close()
    found = await differences(riverside, made)
    return bool(found.lost), bool(found.doubled)


async def test_with_all_guards_nothing_is_lost_and_nothing_doubled(
    connected: Riverside,
) -> None:
    for on in ("create_client", "create_appointment"):
        adapter = opened(connected.clinic.settings)
        night = {"create_client": 0, "create_appointment": 20}[on]
        assert await lost_and_doubled(connected, adapter, "answer_lost", on=on, night=night) == (False, False)


async def test_without_the_read_back_a_booking_is_lost(connected: Riverside) -> None:
    assert await lost_and_doubled(connected, Believing(connected.clinic.settings), "pretend") == (True, False)


async def test_acknowledged_before_the_pims_has_answered_a_booking_is_lost(connected: Riverside) -> None:
    assert await lost_and_doubled(connected, Hasty(connected.clinic.settings), "reset_before") == (True, False)


async def test_where_the_key_is_ignored_a_booking_is_doubled(connected: Riverside) -> None:
    forgetful = Forgetful(Exchange.of(connected.clinic.settings))
    assert await lost_and_doubled(connected, forgetful, "answer_lost", on="create_client") == (False, True)


async def test_where_the_write_lag_is_ignored_a_booking_is_doubled(connected: Riverside) -> None:
    clock = [NOW]
    impatient = Impatient(connected.clinic.settings, lambda: clock[-1])
    assert await lost_and_doubled(connected, impatient, None, clock=clock) == (False, True)
