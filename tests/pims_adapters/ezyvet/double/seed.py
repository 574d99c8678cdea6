"""Willow Creek Veterinary, an ezyVet site that nobody runs: its people, its columns, its planning guides, its calendar.

The same day and the same seed make the same site, row by row. All names, phones and emails are invented.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tests.pims_adapters.ezyvet.double.store import Guide, Store, at_local

HERE, THERE = 1, 2
SPECIES = ("Canine (Dog)", "Feline (Cat)", "Rabbit", "Avian", "Reptile", "Ferret")
SEXES = ("Unknown", "Male", "Male (Neutered)", "Female", "Female (Spayed)")
BREEDS = ((1, "Beagle"), (1, "Labrador Retriever"), (1, "Mixed"), (2, "Domestic Shorthair"), (2, "Siamese"), (3, "Lop"))
STATUSES = ("Unconfirmed", "Confirmed", "Arrived", "In Consult", "Completed", "No Show", "On Hold")
TYPES = (
    ("Consultation", 30, True),
    ("Vaccination", 20, True),
    ("Recheck", 20, True),
    ("Dental", 90, True),
    ("Surgery", 120, True),
    ("Block Out - Unavailable", 60, True),
    ("House call", 60, False),
)
CONSULTATION, VACCINATION, RECHECK, DENTAL, SURGERY, BLOCK = range(1, 7)
COLUMNS = (
    ("Dr. Ada Lang", "On Calendar", HERE, True),
    ("Dr. Bruno Keller", "On Calendar", HERE, True),
    ("Dr. Chen Wei", "On Calendar", HERE, True),
    ("Dana Fox RVT", "On Calendar", HERE, True),
    ("Exam Room 1", "On Calendar", HERE, True),
    ("Exam Room 2", "On Calendar", HERE, True),
    ("Dental Suite", "On Calendar", HERE, True),
    ("Front desk", "Off Calendar", HERE, True),
    ("Dr. Ada Lang", "On Calendar", THERE, True),
    ("Dr. Long Gone", "On Calendar", HERE, False),
)
LANG, KELLER, WEI, FOX, ROOM_1, ROOM_2, DENTAL_SUITE, FRONT_DESK, LANG_THERE, GONE = range(1, 11)
GIVEN = ("Alma", "Ben", "Cleo", "Dev", "Esme", "Finn", "Gia", "Hugo", "Iris", "Jon", "Kai", "Lena")
FAMILY = ("Abbott", "Byrne", "Costa", "Duarte", "Ellis", "Frost", "Garza", "Hale", "Ito", "Jensen", "Kaur", "Lund")
PETS = ("Pip", "Moss", "Olive", "Tuck", "Juno", "Bean", "Wren", "Otis", "Fig", "Dot")
MORNING, NOON, AFTERNOON, EVENING = 9 * 60, 12 * 60, 13 * 60, 17 * 60
SURGERY_DAYS = (1, 3)
CONTACTS, SUPPLIERS = 430, 20
DAYS_BACK, DAYS_AHEAD = 14, 28

ALMA, STOPPED, LEFT, PIP, DEAD, INACTIVE = 1, 2, 3, 1, 2, 3
"""To count on: Alma Abbott with Pip; a client on stop, one who left; a dead animal, an inactive one."""


def filled(now: datetime, seed: int = 1, *, minutes: bool = False) -> Store:
    """Return the site as it stands at an instant; `minutes` is what it counts appointments in, else seconds."""
    store = Store(started_at=now.astimezone(UTC), minutes_of_appointments=minutes)
    dice = random.Random(seed)
    long_ago = store.epoch() - 90 * 24 * 3600
    _lists(store, long_ago)
    _people(store, dice, long_ago)
    _guides(store)
    _calendar(store, dice, long_ago)
    return store


def _lists(store: Store, at: int) -> None:
    for name in SPECIES:
        store.add("species", at=at, name=name)
    for name in SEXES:
        store.add("sex", at=at, name=name)
    for species, name in BREEDS:
        store.add("breed", at=at, name=name, species_id=species)
    for name in STATUSES:
        store.add("appointmentstatus", at=at, name=name)
    for name, minutes, active in TYPES:
        store.add("appointmenttype", at=at, name=name, default_duration=minutes, active=active)
    for name, access, ownership, active in COLUMNS:
        store.add("resource", at=at, name=name, access=access, ownership_id=ownership, active=active)


def _people(store: Store, dice: random.Random, at: int) -> None:
    for number in range(1, CONTACTS + SUPPLIERS + 1):
        customer = number <= CONTACTS
        made = at + number * 60
        contact = store.add(
            "contact",
            at=made,
            code=f"2{number:05}",
            first_name=GIVEN[(number - 1) % 12] if customer else "",
            last_name=FAMILY[(number - 1) // 12 % 12] if customer else "",
            business_name="" if customer else f"Supplies {number} Ltd",
            is_business=not customer,
            is_customer=customer,
            is_supplier=not customer,
            is_vet=False,
            is_syndicate=False,
            is_staff_member=False,
            stop_credit="STOP" if number == STOPPED else "OK",
            address_physical=None,
            address_postal=None,
            ownership_id=HERE,
        )
        contact["active"] = number != LEFT
        digits = f"518555{number:04}"
        phone = (f"({digits[:3]}) {digits[3:6]}-{digits[6:]}", f"{digits[:3]}-{digits[3:6]}-{digits[6:]}", digits)
        _detail(store, made, number, "Mobile Phone", phone[number % 3], 3)
        if number % 10:
            _detail(store, made, number, "Email Address", f"client{number}@Example.com", 1)
        for _ in range(1 + number % 3 // 2 if customer else 0):
            _animal(store, dice, made, number)


def _detail(store: Store, at: int, contact: int, name: str, value: str, kind: int) -> None:
    store.add(
        "contactdetail", at=at, contact_id=contact, name=name, value=value, contact_detail_type_id=kind, preferred=True
    )


def _animal(store: Store, dice: random.Random, at: int, contact: int) -> None:
    number = len(store.tables["animal"]) + 1
    species = 1 if number <= INACTIVE else dice.choice((1, 1, 1, 2, 2, 3, 4, 5, 6))
    breeds = [breed for breed, row in store.tables["breed"].items() if row["species_id"] == species]
    animal = store.add(
        "animal",
        at=at,
        code=f"1{number:05}",
        contact_id=contact,
        name=PETS[(number - 1) % 10],
        species_id=species,
        breed_id=dice.choice(breeds) if breeds else None,
        sex_id=dice.randint(1, len(SEXES)),
        date_of_birth=int(datetime(2020, 5, 1 + number % 20, tzinfo=store.zone).timestamp()),
        is_dead=number == DEAD,
        date_of_death=None,
        notes="",
    )
    animal["active"] = number != INACTIVE


def _guides(store: Store) -> None:
    """Doctors take visits on weekdays, Keller operates on two mornings; rooms have no guides."""
    visits, operations = [CONSULTATION, VACCINATION, RECHECK], [DENTAL, SURGERY]
    for weekday in range(5):
        for doctor in (LANG, KELLER, WEI):
            operates = doctor == KELLER and weekday in SURGERY_DAYS
            morning = operations if operates else visits
            store.guides.append(Guide(doctor, weekday, MORNING, NOON, morning))
            everything = [*visits, *operations]
            store.guides.append(Guide(doctor, weekday, AFTERNOON, EVENING, everything if doctor == WEI else visits))


def _calendar(store: Store, dice: random.Random, at: int) -> None:
    today = store.now().astimezone(store.zone)
    for ahead in range(-DAYS_BACK, DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if day.weekday() > 4:
            continue
        for doctor, room in ((LANG, ROOM_1), (WEI, ROOM_2)):
            for start in range(MORNING, EVENING - 30, 30):
                if start in (NOON, NOON + 30) or dice.random() > 0.5:
                    continue
                animal = store.row("animal", dice.randint(4, len(store.tables["animal"])))
                appointment(
                    store,
                    at_local(store, day, start),
                    30,
                    kind=CONSULTATION,
                    columns=[doctor, room],
                    animal=animal["id"],
                    contact=animal["contact_id"],
                    status=5 if ahead < 0 else 1,
                    at=at + 3600,
                )
        appointment(store, at_local(store, day, NOON), 60, kind=BLOCK, columns=[LANG], at=at + 7200)


def appointment(
    store: Store,
    start: datetime,
    minutes: int,
    *,
    kind: int,
    columns: list[int],
    animal: int | None = None,
    contact: int | None = None,
    status: int = 1,
    description: str = "",
    at: int | None = None,
) -> int:
    """Put an entry on the calendar; its number."""
    made = store.add(
        "appointment",
        at=at,
        start_at=int(start.timestamp()),
        duration=minutes if store.minutes_of_appointments else minutes * 60,
        type_id=kind,
        status_id=status,
        description=description,
        animal_id=animal,
        contact_id=contact,
        consult_id=None,
        sales_resource=columns[0] if columns else None,
        resources=[{"id": one} for one in columns],
        cancellation_reason=None,
        cancellation_reason_text=None,
        event_group=None,
        ownership_id=HERE,
    )
    number: int = made["id"]
    return number
