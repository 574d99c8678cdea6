"""A seeded practice: staff, rooms, types, clients, patients, block-offs and some weeks of appointments.

The same seed and day give the same records. Everybody is invented; phones are from the range kept for fiction.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from random import Random

from msgspec import Struct

from pims_adapters._agent.protocol import Appointment, Block, Client, Patient, Reminder, Room, Staff, Type, Vaccine
from pims_adapters.demo.clinic.seed_words import WORDS
from tests.clinic_simulator.dialects import Dialect
from tests.clinic_simulator.store import Store

AREA_CODES = ("646", "917", "718", "347", "929", "516", "914", "201", "551", "973")
TYPES = (
    ("Wellness exam", 30),
    ("Sick visit", 30),
    ("Vaccination", 15),
    ("Dental cleaning", 90),
    ("Surgery consult", 45),
    ("Nail trim", 15),
    ("Recheck", 15),
    ("New patient exam", 45),
)
ACCENTED = ("Muñoz", "Lefèvre", "Sjöberg", "Gonçalves")
LUNCH = (time(12, 30), 60)


class Size(Struct, frozen=True, kw_only=True):
    """How large the practice is. `filled`: the share of half hours that have an appointment."""

    providers: int = 3
    technicians: int = 2
    rooms: int = 3
    clients: int = 60
    patients: int = 90
    weeks: int = 3
    filled: float = 0.5


def fill(store: Store, size: Size) -> None:
    """Enter the practice as it would stand on this morning."""
    random = store.random("seed", 0)
    dialect = store.dialect
    today = store.local_now.date()
    staff = [
        *(_person(random, dialect.provider, "Dr. ") for _ in range(size.providers)),
        *(_person(random, dialect.technician, "") for _ in range(size.technicians)),
    ]
    for name, title in staff:
        store.put("staff", Staff(id=store.new_id("staff"), name=name, title=title))
    for number in range(1, size.rooms + 1):
        store.put("room", Room(id=store.new_id("room"), name=f"Exam {number}"))
    for name, minutes in TYPES:
        store.put("type", Type(id=store.new_id("type"), name=name, minutes=minutes))
    for number in range(size.clients):
        store.put("client", _client(random, store.new_id("client"), number))
    clients = [row.id for row in store.rows("client")]
    for number in range(size.patients):
        owner = clients[number] if number < len(clients) else random.choice(clients)
        store.put("patient", _patient(random, store.new_id("patient"), owner, dialect, today))
    for row in store.rows("staff")[: size.providers]:
        lunch = datetime.combine(today - timedelta(days=today.weekday()), LUNCH[0])
        rrule = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
        block = Block(
            id=store.new_id("block"), staff=row.id, starts=lunch, minutes=LUNCH[1], rrule=rrule, notes="Lunch"
        )
        store.put("block", block)
    _health(store, random, today)
    _schedule(store, random, size, today)


def _person(random: Random, title: str, before: str) -> tuple[str, str]:
    return f"{before}{random.choice(WORDS.first_names)} {random.choice(WORDS.last_names)}", title


def _client(random: Random, id_: str, number: int) -> Client:
    first, last = random.choice(WORDS.first_names), random.choice(WORDS.last_names)
    if number % 10 == 7:
        last = ACCENTED[number // 10 % len(ACCENTED)]
    area, line = AREA_CODES[number % len(AREA_CODES)], number // len(AREA_CODES) % 100
    phone = random.choice((f"({area}) 555-01{line:02}", f"{area}-555-01{line:02}", f"{area}55501{line:02}"))
    name = re.sub(r"[^a-z.]", "", f"{first}.{last}".lower())
    emails = (f"{name}{number}@example.com",) if random.random() < 0.85 else ()
    return Client(id=id_, first_name=first, last_name=last, phones=(phone,), emails=emails)


def _patient(random: Random, id_: str, client: str, dialect: Dialect, today: date) -> Patient:
    kind = random.choices(range(5), (54, 36, 4, 3, 3))[0]
    breeds = WORDS.breeds[("Canine", "Feline", "Rabbit", "Avian", "Reptile")[kind]]
    age = timedelta(days=int(60 + 365 * 15 * random.random() ** 1.6))
    return Patient(
        id=id_,
        client=client,
        name=random.choice(WORDS.patient_names),
        species=dialect.species[kind],
        breed=random.choice(breeds),
        sex=random.choices((*dialect.sexes, ""), (4, 4, 2, 2, 1))[0],
        birth_date=today - age,
        status=random.choices(("", "Inactive", "Deceased"), (90, 4, 6))[0],
    )


def _health(store: Store, random: Random, today: date) -> None:
    for patient in store.rows("patient"):
        given = today - timedelta(days=random.randrange(30, 400))
        due = given + timedelta(days=365)
        store.put(
            "vaccine", Vaccine(id=store.new_id("vaccine"), patient=patient.id, name="Rabies", given=given, due=due)
        )
        store.put("reminder", Reminder(id=store.new_id("reminder"), patient=patient.id, name="Rabies", due=due))


def _schedule(store: Store, random: Random, size: Size, today: date) -> None:
    """Fill half hours of the past week and the weeks to come, never two at once for one column."""
    providers = [row.id for row in store.rows("staff")[: size.providers]]
    rooms = [row.id for row in store.rows("room")]
    patients = [row for row in store.rows("patient") if isinstance(row, Patient) and row.status == ""]
    types = [row for row in store.rows("type") if isinstance(row, Type) and row.minutes <= 30]
    statuses = store.dialect.statuses
    for offset in range(-7, size.weeks * 7):
        day = today + timedelta(days=offset)
        if day.weekday() == 6 or not patients:
            continue
        for slot in range(16):
            starts = datetime.combine(day, time(9)) + timedelta(minutes=30 * slot)
            if LUNCH[0] <= starts.time() < time(13, 30):
                continue
            for column, provider in enumerate(providers):
                if random.random() >= size.filled:
                    continue
                patient, type_ = random.choice(patients), random.choice(types)
                ours = random.choices(
                    ("fulfilled", "no_show", "cancelled") if offset < 0 else ("booked", "confirmed", "cancelled"),
                    (90, 5, 5) if offset < 0 else (60, 36, 4),
                )[0]
                store.put(
                    "appointment",
                    Appointment(
                        id=store.new_id("appointment"),
                        starts=starts,
                        minutes=type_.minutes,
                        staff=provider,
                        room=rooms[column] if column < len(rooms) else None,
                        type=type_.id,
                        client=patient.client,
                        patient=patient.id,
                        status=statuses[ours],
                    ),
                )
