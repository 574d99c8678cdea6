"""The details page asks newcomers for what the practice's own system requires, and for nothing else."""

from __future__ import annotations

from booking.db import connections
from booking.db.pool import across_practices
from pims_adapters.contract import Ability, DraftField
from tests.widget.cedar_hill import SAMS_PHONE, CedarHill, Person
from tests.widget.live_connection import connect_pims

ABILITIES: list[Ability] = ["creates_appointments", "creates_clients"]
ASKS = [
    DraftField(of="client", field="address", required=True),
    DraftField(of="client", field="city", required=True),
    DraftField(of="client", field="postal_code", required=True),
    DraftField(of="client", field="phone", required=True),
    DraftField(of="client", field="family_name", longest=20),
    DraftField(of="patient", field="sex", required=True),
    DraftField(of="patient", field="birth_date", required=True),
]


async def ask(cedar_hill: CedarHill, asks: list[DraftField]) -> None:
    practice_id = cedar_hill.practice.practice_id
    connection_id = await connect_pims(cedar_hill.pool, practice_id)
    async with across_practices(cedar_hill.pool) as conn:
        await connections.note_abilities(conn, practice_id, connection_id, ABILITIES, asks)


async def test_what_the_practices_system_requires_is_asked_and_kept(person: Person, cedar_hill: CedarHill) -> None:
    await ask(cedar_hill, ASKS)
    await person.choose("first", client="new")
    await person.hold()
    await person.prove("noor@example.com")
    assert all(f'name="{one}"' in person.text for one in ("address", "city", "postal_code"))
    await person.introduce()
    assert person.step == "details"
    for words in (
        "Please enter your street and house number.",
        "Please enter your city.",
        "Please enter your postal code.",
        "Please enter a phone number, too.",
        "Please choose the sex.",
        "Please enter the date of birth; a guess is fine.",
    ):
        assert words in person.text
    entered = {"address": "1 Elm Street", "city": "Albany", "postal_code": "12203", "other_contact": "212 555 0177"}
    await person.introduce(**entered, sex="female", birth_date="2024-02-29")
    assert person.step == "check"
    await person.send(f"{person.flow}/check")
    assert "See you soon, Zuzu!" in person.text
    assert "is being entered in the practice’s schedule" in person.text
    row = await cedar_hill.fetchrow("SELECT address, city, postal_code FROM client WHERE given_name = 'Noor'")
    assert tuple(row) == ("1 Elm Street", "Albany", "12203")


async def test_what_it_has_come_to_require_meanwhile_is_asked_before_it_is_booked(
    person: Person, cedar_hill: CedarHill
) -> None:
    await person.choose("first", client="new")
    await person.hold()
    await person.prove("noor@example.com")
    assert 'name="address"' not in person.text
    await person.introduce()
    assert person.step == "check"
    await ask(cedar_hill, ASKS)
    await person.send(f"{person.flow}/check")
    assert person.step == "details"
    assert "Please enter your street and house number." in person.text
    assert await cedar_hill.count("appointment") == 0


async def test_known_clients_are_asked_of_new_pets_only(person: Person, cedar_hill: CedarHill) -> None:
    await ask(cedar_hill, ASKS)
    await person.choose()
    await person.hold()
    await person.prove(SAMS_PHONE)
    await person.send(f"{person.flow}/pet", pet=f"{cedar_hill.sam}/new")
    assert person.step == "details"
    assert 'name="address"' not in person.text
    answer = await person.browser.post(
        person.path + f"?client={cedar_hill.sam}", data={"pet_name": "Zuzu", "species": "dog", "sex": ""}
    )
    assert "Please choose the sex." in answer.text
    assert "street" not in answer.text
