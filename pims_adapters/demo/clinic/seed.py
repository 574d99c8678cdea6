"""The seeded practice as one list of records, the same for the same seed and start date."""

from datetime import date
from random import Random

from pims_adapters.demo.clinic import seed_practice
from pims_adapters.demo.clinic.records import AnyRecord
from pims_adapters.demo.clinic.seed_people import people
from pims_adapters.demo.clinic.seed_schedule import Crowd, appointments


def records(start: date, seed: int = 1) -> list[AnyRecord]:
    """Return the practice as it would stand on the morning of `start`, oldest record first."""
    random = Random(seed)  # noqa: S311 - no secret is drawn from it
    columns = seed_practice.columns(start)
    blocks = seed_practice.blocks(start)
    holidays = seed_practice.holidays(start)
    clients, patients = people(random, start)
    # The personas come when a test or a visitor books for them, not before.
    crowd = Crowd(random, start, clients, [patient for patient in patients if patient.id[-1].isdigit()])
    placed = appointments(random, start, columns=columns, blocks=blocks, holidays=holidays, crowd=crowd)
    return [
        seed_practice.practice(start),
        *columns,
        *holidays,
        *blocks,
        *seed_practice.TYPES,
        *clients,
        *patients,
        *placed,
    ]
