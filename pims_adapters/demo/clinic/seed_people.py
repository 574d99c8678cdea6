"""The clients and patients of the seeded practice: the personas, and a crowd as untidy as a real client list."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Literal

from pims_adapters.demo.clinic import personas
from pims_adapters.demo.clinic.records import Client, Patient
from pims_adapters.demo.clinic.seed_words import WORDS

CLIENTS = 400
PATIENTS = 700
STATES: tuple[Literal["active", "inactive", "deceased"], ...] = ("active", "inactive", "deceased")
SPECIES = (("Canine", "Feline", "Rabbit", "Avian", "Reptile"), (54, 36, 4, 3, 3))
# Codes in and around New York. 212 is the personas' own.
AREA_CODES = ("646", "917", "718", "347", "929", "516", "914", "201", "551", "973")


def people(random: Random, start: date) -> tuple[list[Client], list[Patient]]:
    """Invent households until the promised numbers are met; the personas come first."""
    clients, patients = _personas(start)
    phones = _phones(random)
    numbers = count(1)
    while len(clients) < CLIENTS:
        family_name = random.choice(WORDS.last_names)
        phone = next(phones)
        clients.append(_client(random, f"client-{next(numbers):04}", family_name, phone))
        # One household in six has a second person on file, mostly under the same phone.
        if len(clients) < CLIENTS and random.randrange(6) == 0:
            phone = random.choices((phone, next(phones)), (80, 20))[0]
            clients.append(_client(random, f"client-{next(numbers):04}", family_name, phone))
    crowd = clients[len(personas.PERSONAS) :]
    owners = [*crowd, *random.choices(crowd, k=PATIENTS - len(patients) - len(crowd))]
    owners.sort(key=lambda client: client.id)
    for number, owner in enumerate(owners, start=1):
        patients.append(_patient(random, f"pat-{number:04}", owner, start))
    return clients, patients


def _phones(random: Random) -> Iterator[str]:
    """Yield distinct digits, all in the ranges kept for fiction (555-0100 to 555-0199), never a persona's."""
    taken = {persona.phone.removeprefix("+1") for persona in personas.PERSONAS if persona.phone}
    all_of_them = [f"{area}55501{last:02}" for area in AREA_CODES for last in range(100)]
    random.shuffle(all_of_them)
    return (digits for digits in all_of_them if digits not in taken)


def _client(random: Random, id_: str, family_name: str, phone: str) -> Client:
    first_name = random.choice(WORDS.first_names)
    return Client(
        id=id_,
        first_name=first_name,
        last_name=family_name,
        phones=_typed_phones(random, phone),
        emails=_typed_emails(random, first_name, family_name, id_),
        inactive=random.choices((False, True), (94, 6))[0],
    )


def _typed_phones(random: Random, digits: str) -> list[str]:
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    tidy = random.choice(
        (f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", digits, f"{area}.{exchange}.{line}")
    )
    extra = random.choice(WORDS.typed_extras)
    typed: list[list[str]] = [
        [tidy],
        [f"{tidy} {extra}"],
        [f"{exchange}-{line} {extra}"],  # everyone in the building has the same area code
        [f"{area}-{exchange}-{line[:3]}"],
        [f"+1 {area} {exchange} {line}", "same"],
        ["none"],
        [],
    ]
    return random.choices(typed, (80, 6, 4, 3, 3, 2, 2))[0]


def _typed_emails(random: Random, first_name: str, family_name: str, id_: str) -> list[str]:
    name = re.sub(r"[^a-z.]", "", f"{first_name}.{family_name}".lower())
    # The number keeps addresses apart, as people do when their name is taken.
    address = f"{name}{int(id_[-4:])}@example.{random.choice(('com', 'com', 'org', 'net'))}"
    typed: list[list[str]] = [
        [address],
        [address.upper()],
        [f" {address} "],
        [address.replace("@", "@@")],
        [address.replace("@", " at ")],
        [address.replace(".com", ",com")],
        ["declined"],
        [],
    ]
    return random.choices(typed, (70, 3, 3, 2, 2, 2, 4, 14))[0]


def _patient(random: Random, id_: str, owner: Client, start: date) -> Patient:
    species = random.choices(*SPECIES)[0]
    age = timedelta(days=int(60 + 365 * 15 * random.random() ** 1.6))
    state = random.choices(STATES, (87, 4, 9))[0]
    return Patient(
        id=id_,
        client_id=owner.id,
        name=random.choice(WORDS.patient_names),
        species=species,
        breed=random.choice(WORDS.breeds[species]),
        sex=random.choice(("MN", "MN", "FS", "FS", "M", "F", "")),
        born=random.choices((start - age, None), (95, 5))[0],
        state="inactive" if owner.inactive and state == "active" else state,
    )


def _personas(start: date) -> tuple[list[Client], list[Patient]]:
    typed = {
        personas.OLIVIA_CARTER.client: ["(212) 555-0101"],
        personas.MARK_HALL.client: ["212-555-0106"],
        personas.BOB_NOWAK.client: ["555-0134 (Bob work)"],
        personas.GRACE_KIM.client: ["646-555-0108 / 212-555-0108 x12"],
    }
    clients = [
        Client(
            id=persona.client,
            first_name=persona.name.split()[0],
            last_name=persona.name.split()[1],
            phones=typed.get(persona.client, [persona.phone.removeprefix("+1")] if persona.phone else []),
            emails=[persona.email] if persona.email else [],
            inactive=persona is personas.HAROLD_WEISS,
        )
        for persona in personas.PERSONAS
    ]
    bob = personas.PERSONAS.index(personas.BOB_NOWAK)
    clients[bob] = Client(
        id=clients[bob].id,
        first_name="Bob",
        last_name="Nowak",
        phones=clients[bob].phones,
        emails=["bob.nowak@example,com"],
    )
    animals = {
        "pat-biscuit": ("Canine", "Labrador Retriever", "MN", 4),
        "pat-mochi": ("Feline", "Domestic Shorthair", "FS", 2),
        "pat-rusty": ("Canine", "Beagle", "MN", 14),
        "pat-coco": ("Canine", "Poodle, miniature", "FS", 6),
        "pat-pepper": ("Feline", "Siamese", "MN", 9),
        "pat-clover": ("Rabbit", "Holland Lop", "F", 3),
        "pat-bruno": ("Canine", "Boxer", "M", 7),
        "pat-tiger": ("Feline", "Domestic Longhair", "MN", 17),
        "pat-willow": ("Canine", "Greyhound", "FS", 5),
        "pat-gizmo": ("Feline", "Domestic Shorthair", "MN", 1),
        "pat-rex": ("Canine", "German Shepherd", "MN", 8),
        "pat-kiwi": ("Avian", "Budgerigar", "", 2),
        "pat-spike": ("Reptile", "Bearded Dragon", "M", 3),
        "pat-luna-kim": ("Feline", "Ragdoll", "FS", 4),
    }
    patients: list[Patient] = []
    for persona in personas.PERSONAS:
        states: tuple[tuple[dict[str, str], Literal["active", "inactive", "deceased"]], ...] = (
            (persona.patients, "active"),
            (persona.deceased, "deceased"),
            (persona.inactive, "inactive"),
        )
        for named, state in states:
            for id_, name in named.items():
                species, breed, sex, years = animals[id_]
                patients.append(
                    Patient(
                        id=id_,
                        client_id=persona.client,
                        name=name,
                        species=species,
                        breed=breed,
                        sex=sex,
                        born=start - timedelta(days=365 * years + 40),
                        state=state,
                    )
                )
    return clients, patients
