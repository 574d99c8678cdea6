"""Appointment types: what can be booked, by whom, how long it takes and what it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from availability import Grid
from booking.db.pool import Connection, many, one

Mode = Literal["instant", "callback"]
Audience = Literal["everyone", "existing", "new"]


class RoleNeed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many resources that have a role."""

    role: str
    count: int = 1


class TypeStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a visit and the roles it needs."""

    duration: timedelta
    needs: tuple[RoleNeed, ...]


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a visit is for some. What is None matters not."""

    length: timedelta
    species: tuple[str, ...] | None = None
    new_client: bool | None = None


END_OF_LIFE = "end of life"


class AppointmentType(Struct, frozen=True, kw_only=True):
    """What can be booked. `mode` callback: the practice calls back, no times are shown."""

    appointment_type_id: UUID
    pims_id: str | None
    pims_name: str
    name: str
    description: str
    category: str
    species: list[str]
    steps: tuple[TypeStep, ...]
    grid: Grid
    buffer_before: timedelta
    buffer_after: timedelta
    bookable_online: bool
    mode: Mode
    who_may_book: Audience
    notice: timedelta
    horizon: timedelta
    max_per_day: int | None
    variants: tuple[Variant, ...] = ()

    @property
    def length(self) -> timedelta:
        """What the client sees as the visit's length."""
        return sum((step.duration for step in self.steps), timedelta())

    @property
    def calls_back(self) -> bool:
        """Whether the practice arranges it by phone; a farewell always, whatever else is set."""
        return self.mode == "callback" or self.category.strip().lower().replace("_", " ") == END_OF_LIFE

    def for_patient(self, species: str, *, new_client: bool) -> AppointmentType:
        """Return the type as long as its first variant says that is for such a patient; else as it is."""
        for variant in self.variants:
            if (variant.species is None or species in variant.species) and variant.new_client in (None, new_client):
                return msgspec.structs.replace(self, steps=lasting(self.steps, variant.length))
        return self


def lasting(steps: tuple[TypeStep, ...], length: timedelta) -> tuple[TypeStep, ...]:
    """Give a visit a length by its longest step, which keeps a minute at least; the other steps keep theirs."""
    if not steps:
        return steps
    longest = max(range(len(steps)), key=lambda n: steps[n].duration)
    others = sum((step.duration for n, step in enumerate(steps) if n != longest), timedelta())
    changed = msgspec.structs.replace(steps[longest], duration=max(length - others, timedelta(minutes=1)))
    return (*steps[:longest], changed, *steps[longest + 1 :])


COLUMNS = """appointment_type_id, pims_id, pims_name, name, description, category, species, steps, grid, buffer_before,
  buffer_after, bookable_online, mode, who_may_book, notice, horizon, max_per_day, variants"""

APPOINTMENT_TYPES = f"""
SELECT {COLUMNS} FROM appointment_type WHERE practice_id = $1 AND active ORDER BY position, name, appointment_type_id
"""


async def appointment_types(conn: Connection, practice_id: UUID) -> list[AppointmentType]:
    """Return the practice's types in the order in which the practice shows them."""
    return many(await conn.fetch(APPOINTMENT_TYPES, practice_id), AppointmentType)


APPOINTMENT_TYPE = f"SELECT {COLUMNS} FROM appointment_type WHERE practice_id = $1 AND appointment_type_id = $2"


async def any_appointment_type(
    conn: Connection, practice_id: UUID, appointment_type_id: UUID
) -> AppointmentType | None:
    """Find one type, retired or not."""
    return one(await conn.fetchrow(APPOINTMENT_TYPE, practice_id, appointment_type_id), AppointmentType)


LOCK_APPOINTMENT_TYPE = f"{APPOINTMENT_TYPE} AND active FOR UPDATE"


async def lock_appointment_type(
    conn: Connection, practice_id: UUID, appointment_type_id: UUID
) -> AppointmentType | None:
    """Find one type that is to be changed in this transaction."""
    return one(await conn.fetchrow(LOCK_APPOINTMENT_TYPE, practice_id, appointment_type_id), AppointmentType)


SET_APPOINTMENT_TYPE = """
UPDATE appointment_type SET name = $3, description = $4, category = $5, position = $6, species = $7, steps = $8,
  grid = $9, buffer_before = $10, buffer_after = $11, bookable_online = $12, mode = $13, who_may_book = $14,
  notice = $15, horizon = $16, max_per_day = $17, variants = $18
WHERE practice_id = $1 AND pims_id = $2
"""


async def configure_appointment_type(
    conn: Connection, practice_id: UUID, chosen: AppointmentType, *, position: int
) -> None:
    """Set all that is the practice's choice with us of the type that the PIMS calls `chosen.pims_id`."""
    await conn.execute(
        SET_APPOINTMENT_TYPE,
        practice_id,
        chosen.pims_id,
        chosen.name,
        chosen.description,
        chosen.category,
        position,
        chosen.species,
        chosen.steps,
        chosen.grid,
        chosen.buffer_before,
        chosen.buffer_after,
        chosen.bookable_online,
        chosen.mode,
        chosen.who_may_book,
        chosen.notice,
        chosen.horizon,
        chosen.max_per_day,
        chosen.variants,
    )
