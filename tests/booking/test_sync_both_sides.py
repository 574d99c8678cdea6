"""Both sides edit: whatever is done here and there, in whatever order, through whatever faults, they come to agree."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from booking.db.pool import Pool
from pims_adapters import contract as pims
from tests.booking.two_sides import MINUTE, TwoSides, open_two_sides

PROVE = os.environ.get("VETSLOT_PROVE") == "1"
SEEDS, STEPS = (range(20), 10_000) if PROVE else (range(2), 60)
FAULTS = ("half page", "duplicate page", "older rows", "breaks off", "listing breaks off", "half listing")
COLUMNS = (("ada",), ("lin",), ("ada", "room"), ("lin", "room"), ("room",))


class Editing:
    """One run: a seed decides everything."""

    def __init__(self, sides: TwoSides, seed: int) -> None:
        self.sides, self.random = sides, random.Random(seed)
        self.deleted: set[str] = set()
        self.trash: pims.Appointment | None = None
        self.people = 0

    async def step(self) -> None:
        """Do one thing, on one of the sides or between them."""
        deeds = {
            self.book_here: 3,
            self.change_here: 4,
            self.book_there: 3,
            self.change_there: 5,
            self.delete_there: 2,
            self.undelete_there: 1,
            self.block_there: 2,
            self.people_there: 1,
            self.merge_there: 1,
            self.column_there: 1,
            self.fault: 2,
            self.between: 6,
        }
        (deed,) = self.random.choices([*deeds], [*deeds.values()])
        await deed()

    async def book_here(self) -> None:
        await self.sides.book(self.random.choice(["exam", "dental", "boarding"]), self.random.randrange(40))

    async def change_here(self) -> None:
        if self.sides.references:
            reference = self.random.choice(self.sides.references[-20:])
            await self.sides.change(
                reference, self.random.choice(["move", "cancel", "confirm"]), self.random.randrange(40)
            )

    async def book_there(self) -> None:
        client = self.random.choice([None, *(one.pims_id for one in self.sides.there.of("client"))])
        patients = [one.pims_id for one in self.sides.there.of("patient") if one.client == client]
        self.sides.staff_book(
            self.random.randrange(2),
            15 * self.random.randrange(12),
            *self.random.choice(COLUMNS),
            client=client,
            patient=self.random.choice(patients) if patients else None,
            appointment_type=self.random.choice([None, "exam", "dental"]),
        )

    def one_there(self) -> pims.Appointment | None:
        there = self.sides.there.of("appointment")
        return self.random.choice(there[-25:]) if there else None

    async def change_there(self) -> None:
        one = self.one_there()
        if one is None:
            return
        start = self.sides.at(self.random.randrange(2), 15 * self.random.randrange(12))
        changed: dict[str, Any] = self.random.choice(
            [
                {"start": start, "end": start + (one.end - one.start)},
                {"end": one.end + 15 * MINUTE}
                if one.end - one.start < 60 * MINUTE
                else {"end": one.start + 15 * MINUTE},
                {"resources": self.random.choice(COLUMNS)},
                {"status": "cancelled"},
                {"status": self.random.choice(["booked", "confirmed", "arrived", "no_show"])},
                {"description": f"Note {self.random.randrange(100)}"},
            ]
        )
        self.sides.staff_change(one.pims_id, **changed)

    async def delete_there(self) -> None:
        one = self.one_there()
        if one is not None:
            self.deleted.add(one.pims_id)
            self.trash = one
            if self.random.random() < 0.5:
                self.sides.there.delete("appointment", one.pims_id)
            else:
                self.sides.there.lose("appointment", one.pims_id)

    async def undelete_there(self) -> None:
        one = self.trash
        known = {None, *(each.pims_id for each in self.sides.there.of("client"))}
        if one is not None and one.pims_id in self.deleted and one.client in known:
            self.deleted.remove(one.pims_id)
            self.sides.there.put(one)

    async def block_there(self) -> None:
        blocked = self.sides.there.of("blockoff")
        if blocked and self.random.random() < 0.5:
            one = self.random.choice(blocked)
            self.sides.there.delete("blockoff", one.pims_id)
            return
        starts = self.sides.at(self.random.randrange(2), 15 * self.random.randrange(12)) - timedelta(hours=7)
        self.people += 1
        time = pims.RecurringTime(starts=starts.replace(tzinfo=None), duration=30 * MINUTE)
        column = self.random.choice(["ada", "lin", "room"])
        self.sides.there.put(pims.BlockOff(pims_id=f"block-{self.people}", resource=column, time=time))

    async def people_there(self) -> None:
        self.people += 1
        client, patient = f"client-{self.people}", f"patient-{self.people}"
        self.sides.there.put(
            pims.Client(pims_id=client, given_name="Nia", family_name=f"No. {self.people}", phones=("602 555 0111",)),
            pims.Patient(pims_id=patient, client=client, name=f"Pip {self.people}", species="cat"),
        )
        one = self.random.choice(self.sides.there.of("patient"))
        if one.pims_id != "bo":
            self.sides.there.put(msgspec.structs.replace(one, status=self.random.choice(["active", "deceased"])))

    async def merge_there(self) -> None:
        others = [one.pims_id for one in self.sides.there.of("client") if one.pims_id != "sam"]
        if len(others) > 1:
            gone, stays = self.random.sample(others, 2)
            self.sides.there.merge("client", gone, stays)

    async def column_there(self) -> None:
        lin = self.sides.there.of("resource")[1]
        if self.random.random() < 0.5:
            self.sides.there.put(lin)

    async def fault(self) -> None:
        self.sides.there.faults.append(self.random.choice(FAULTS))

    async def between(self) -> None:
        self.sides.now += MINUTE
        try:
            match self.random.randrange(4):
                case 0:
                    await self.sides.deliver()
                case 1:
                    await self.sides.list_all()
                case _:
                    await self.sides.sync()
        except pims.PimsUnavailable:
            return


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_sides_edit_and_agree_within_two_cycles(pool: Pool, seed: int) -> None:
    sides = await open_two_sides(pool)
    editing = Editing(sides, seed)
    for number in range(1, STEPS + 1):
        await editing.step()
        if number % 200 == 0 or number == STEPS:
            await agree(sides, editing.deleted)


async def agree(sides: TwoSides, deleted: set[str]) -> None:
    """Let two cycles pass without faults; after that nothing differs, and nothing deleted has come back."""
    sides.there.faults.clear()
    sides.now += 6 * MINUTE  # what was put off is due
    await sides.cycle()
    await sides.cycle()
    report = await sides.drift()
    assert report.complete
    assert report.differences == []
    back = await sides.rows(
        "SELECT pims_id FROM appointment WHERE pims_id = ANY($1) AND status NOT IN ('cancelled', 'no_show')",
        [*deleted],
    )
    assert back == []
    twice = {key: n for key, n in sides.there.made.items() if n > 1}
    assert twice == {}
