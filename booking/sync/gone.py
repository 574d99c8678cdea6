"""Gone: what the PIMS says is no more, by a word of its own or because it was silent about it twice.

What others refer to is set aside, not deleted. What was to happen there is not lost: staff are told.
"""

from __future__ import annotations

from booking.db import claims, mirrored_appointments, missing, staff_tasks
from booking.db import mirror as mirror_db
from booking.db.mirrored_appointments import Mirrored
from booking.db.pool import Connection
from booking.local_days import spoken_time
from booking.sync.appointments import Put
from booking.sync.mirror import Mirror
from booking.sync.told import Fact
from pims_adapters import contract as pims


async def forget(conn: Connection, mirror: Mirror, gones: list[pims.Gone]) -> Put:
    """Follow the PIMS in that records are no more. The rows of appointments are locked already."""
    practice_id = mirror.practice_id
    changed = False
    for gone in gones:
        if gone.of != "appointment" and await mirror_db.forget(conn, practice_id, gone.of, gone.pims_id):
            changed = True
            if gone.of == "resource":
                await _ask_about_column(conn, mirror, gone.pims_id)
    pims_ids = [gone.pims_id for gone in gones if gone.of == "appointment"]
    facts: list[Fact] = []
    if pims_ids:
        for one in (await mirrored_appointments.mirrored(conn, practice_id, pims_ids)).values():
            if await mirrored_appointments.cancel(conn, practice_id, one.appointment_id):
                changed = True
                await claims.free_appointment(conn, practice_id, one.appointment_id)
                facts += await _ask_about_booking(conn, mirror, one)
            await mirrored_appointments.followed_by_hand(conn, practice_id, one.appointment_id, mirror.now)
    for gone in gones:
        await missing.found(conn, practice_id, gone.of, [gone.pims_id])
        await staff_tasks.close_tasks(conn, practice_id, ["missing"], [f"{gone.of} {gone.pims_id}"], mirror.now)
    return Put(changed=changed, facts=facts)


async def _ask_about_booking(conn: Connection, mirror: Mirror, one: Mirrored) -> list[Fact]:
    if one.source == "pims" or one.reference is None:
        return []
    if one.ends_at > mirror.now:
        when = spoken_time(one.starts_at, mirror.practice.timezone)
        await staff_tasks.open_task(
            conn,
            mirror.practice_id,
            "gone",
            f"appointment {one.pims_id}",
            f"Booking {one.reference} ({when}) is gone from the PIMS, so its time is free again. Its client was not"
            " told: please call them, or enter it there again.",
            mirror.now,
            appointment_id=one.appointment_id,
        )
    return [Fact(what="gone", reference=one.reference, appointment_id=one.appointment_id, was=one.starts_at)]


async def _ask_about_column(conn: Connection, mirror: Mirror, pims_id: str) -> None:
    found = await mirrored_appointments.still_to_come(conn, mirror.practice_id, pims_id, mirror.now)
    if found is not None and found.appointments:
        await staff_tasks.open_task(
            conn,
            mirror.practice_id,
            "column_removed",
            f"resource {pims_id}",
            f"{found.name} was removed in the PIMS and is no longer offered. {found.appointments} appointments are"
            " still to come there: they stand, and somebody else has to see them.",
            mirror.now,
        )
