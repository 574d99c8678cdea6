"""One ezyVet double for the whole folder, and an adapter on it; each test makes appointments at times of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pims_adapters.contract import AppointmentDraft
from pims_adapters.ezyvet.adapter import EzyVetAdapter
from tests.ezyvet_double import EzyVetDouble, opened, running_double
from tests.pims_adapters.ezyvet.double import seed

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
_nights = itertools.count()


@pytest.fixture(scope="session")
def shared_double() -> Iterator[EzyVetDouble]:
    with running_double(NOW) as double:
        yield double


@pytest.fixture
def double(shared_double: EzyVetDouble) -> Iterator[EzyVetDouble]:
    """Return the folder's double; the faults and the odd ways that a test gave it are taken back."""
    yield shared_double
    shared_double.act("calm")
    shared_double.act("refuse-filter")
    shared_double.act("site", v4=True, refuses_overlaps=False, per_minute=None)
    shared_double.act("clock", freeze=False)
    shared_double.act("tokens", seconds=43200)


@pytest.fixture
async def adapter(double: EzyVetDouble) -> AsyncIterator[EzyVetAdapter]:
    adapter = opened(double.settings)
    yield adapter
    await adapter.close()


@pytest.fixture
def draft() -> AppointmentDraft:
    """Return an appointment that stands in nobody's way: on a night of its own after the seeded weeks."""
    start = datetime(2027, 3, 1, 3, tzinfo=UTC) + timedelta(days=next(_nights))
    return AppointmentDraft(
        client=str(seed.ALMA),
        patient=str(seed.PIP),
        appointment_type=str(seed.CONSULTATION),
        start=start,
        end=start + timedelta(minutes=30),
        resources=(str(seed.LANG), str(seed.ROOM_1)),
        description="[vetslot Direct Booking] Limping",
    )
