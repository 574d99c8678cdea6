"""One demo PIMS for the whole folder, and an adapter on it; each test makes appointments at times of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pims_adapters.contract import AppointmentDraft
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.demo_clinic import DemoClinic, opened, running_clinic

pytest.register_assert_rewrite("tests.pims_adapters.promises")

_nights = itertools.count()


@pytest.fixture(scope="session")
def shared_clinic() -> Iterator[DemoClinic]:
    with running_clinic() as clinic:
        yield clinic


@pytest.fixture
def clinic(shared_clinic: DemoClinic) -> Iterator[DemoClinic]:
    """Return the folder's demo PIMS; what faults a test leaves are cleared."""
    yield shared_clinic
    shared_clinic.reset_faults()


@pytest.fixture
async def adapter(clinic: DemoClinic) -> AsyncIterator[DemoAdapter]:
    adapter = opened(clinic.settings)
    yield adapter
    await adapter.close()


@pytest.fixture
def draft() -> AppointmentDraft:
    """Return an appointment that stands in nobody's way: on a night of its own after the seeded weeks."""
    start = datetime(2027, 3, 1, 3, tzinfo=UTC) + timedelta(days=next(_nights))
    return AppointmentDraft(
        client=OLIVIA_CARTER.client,
        patient="pat-biscuit",
        appointment_type="type-wellness",
        start=start,
        end=start + timedelta(minutes=30),
        resources=("prov-lee", "room-1"),
        description="[vetslot Direct Booking] Limping",
    )
