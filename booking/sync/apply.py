"""Apply: write records of the PIMS into our mirror, in the caller's transaction.

What others refer to comes first, and of a record that changed twice its last state counts. Applying the same again, or
what we have already, writes nothing and raises no version.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from msgspec import Struct

from booking.connect.mapping import mapped
from booking.db import feeds, mirrored_appointments, missing, patient_care, practices, staff_tasks
from booking.db import mirror as mirror_db
from booking.db.pool import Connection
from booking.local_days import same_clock
from booking.sync import gone, people
from booking.sync.appointments import not_settled, put_appointments
from booking.sync.mirror import Mirror
from booking.sync.ours import recognize, recognize_by_what_it_says
from booking.sync.readable import readable
from booking.sync.told import tell
from pims_adapters import contract as pims

KINDS: dict[type, pims.RecordKind] = {
    pims.Practice: "practice",
    pims.Resource: "resource",
    pims.Closure: "closure",
    pims.BlockOff: "blockoff",
    pims.AppointmentType: "appointmenttype",
    pims.PlanningRule: "planningrule",
    pims.Client: "client",
    pims.Patient: "patient",
    pims.Appointment: "appointment",
    pims.Vaccination: "vaccination",
    pims.Reminder: "reminder",
}
OF_THE_SCHEDULE: list[pims.RecordKind] = ["appointment", "blockoff"]


class Applied(Struct, frozen=True, kw_only=True):
    """`changed`: the mirror differs. `news`: for appointments of ours. `late`: a column became known after its time."""

    changed: bool
    news: bool
    late: bool


NOTHING = Applied(changed=False, news=False, late=False)


def kind_of(change: pims.Change) -> pims.RecordKind:
    """Return which kind of record a change is about."""
    if isinstance(change, pims.Gone | pims.Merged):
        return change.of
    return KINDS[type(change)]


def last_states(changes: list[pims.Change]) -> list[pims.Change]:
    """Return of each record what is said last, in the order in which that is said."""
    last: dict[tuple[pims.RecordKind, str], pims.Change] = {}
    for change in changes:
        key = kind_of(change), change.pims_id
        last.pop(key, None)
        last[key] = change
    return [*last.values()]


async def apply_changes(conn: Connection, mirror: Mirror, changes: list[pims.Change]) -> Applied:
    """Write these changes; the transaction must be open and the mirror locked."""
    if not changes:
        return NOTHING
    practice_id = mirror.practice_id
    states = last_states([*mapped(changes, mirror.maps)])
    await _found_again(conn, mirror, states)
    records = [found for one in states if (found := await readable(conn, mirror, one)) is not None]
    gones = [one for one in records if isinstance(one, pims.Gone)]
    merges = [one for one in records if isinstance(one, pims.Merged)]
    set_up, late, new_types = await _put_set_up(conn, mirror, records)
    resource_ids = await mirror_db.resource_ids(conn, practice_id)
    appointments = await not_settled(
        conn, practice_id, [one for one in records if isinstance(one, pims.Appointment)], resource_ids
    )
    await mirrored_appointments.lock_mirrored(
        conn,
        practice_id,
        [one.pims_id for one in appointments] + [one.pims_id for one in gones if one.of == "appointment"],
        of_clients=[one.pims_id for one in merges if one.of == "client"],
        of_patients=[one.pims_id for one in merges if one.of == "patient"],
    )
    recognized = await recognize(conn, practice_id, records)
    clients = [one for one in records if isinstance(one, pims.Client)]
    new_clients = await people.put_clients(conn, mirror, clients, recognized)
    patients = [one for one in records if isinstance(one, pims.Patient)]
    new_patients = await people.put_patients(conn, mirror, patients, recognized)
    merged = await people.merge(conn, mirror, merges)
    await recognize_by_what_it_says(conn, practice_id, appointments)
    closed = await _put_block_offs(conn, mirror, records, resource_ids)
    put = await put_appointments(conn, mirror, appointments, resource_ids, recognized)
    forgotten = await gone.forget(conn, mirror, gones)
    cared = await _put_care(conn, mirror, records)
    linked = bool(new_types or new_clients or new_patients) and await mirrored_appointments.link_late(
        conn, practice_id, types=new_types, clients=new_clients, patients=new_patients
    )
    await tell(conn, mirror, put.facts + forgotten.facts)
    changed = any((set_up, new_clients, new_patients, merged, closed, put.changed, forgotten.changed, linked))
    if changed:
        await practices.raise_schedule_version(conn, practice_id)
    return Applied(changed=changed or cared, news=bool(put.facts or forgotten.facts), late=late)


async def _found_again(conn: Connection, mirror: Mirror, records: list[pims.Change]) -> None:
    """Take note that what was missing shows again, and close what staff were asked about it."""
    shown = [(kind_of(one), one.pims_id) for one in records if not isinstance(one, pims.Gone | pims.Merged)]
    for kind in {kind for kind, _ in shown}:
        await missing.found(conn, mirror.practice_id, kind, [pims_id for of, pims_id in shown if of == kind])
    subjects = [f"{kind} {pims_id}" for kind, pims_id in shown]
    await staff_tasks.close_tasks(
        conn, mirror.practice_id, ["missing", "gone", "column_removed", "unreadable"], subjects, mirror.now
    )


async def _put_set_up(conn: Connection, mirror: Mirror, records: list[pims.Change]) -> tuple[bool, bool, list[str]]:
    """Write what the practice has set up; whether it differed, whether a column came late, and types that differed."""
    practice_id = mirror.practice_id
    changed = False
    columns, types = [], []
    for record in records:
        match record:
            case pims.Practice():
                changed = await _put_practice(conn, mirror, record) or changed
            case pims.Resource():
                if await mirror_db.put_resource(conn, practice_id, uuid4(), record):
                    columns.append(record.pims_id)
            case pims.Closure():
                changed = await mirror_db.put_closure(conn, practice_id, uuid4(), record) or changed
            case pims.AppointmentType():
                if await mirror_db.put_appointment_type(conn, practice_id, uuid4(), record):
                    types.append(record.pims_id)
            case pims.PlanningRule():
                changed = await mirror_db.put_rule(conn, practice_id, uuid4(), record) or changed
    late = bool(columns) and await feeds.columns_became_known(conn, practice_id, mirror.connection_id, columns)
    if changed or columns or types:
        await mirror_db.resolve_rules(conn, practice_id)
    return changed or bool(columns or types), late, types


async def _put_practice(conn: Connection, mirror: Mirror, record: pims.Practice) -> bool:
    """Follow the hours that the PIMS tells. Its zone is not followed: every appointment would move by hours."""
    if record.timezone and not same_clock(record.timezone, mirror.practice.timezone, mirror.now):
        words = (
            f"The PIMS is in the time zone {record.timezone}, the practice's settings say {mirror.practice.timezone}."
            " Please mend the one that is wrong."
        )
        await staff_tasks.open_task(conn, mirror.practice_id, "timezone", record.pims_id, words, mirror.now)
    else:
        await staff_tasks.close_tasks(conn, mirror.practice_id, ["timezone"], [record.pims_id], mirror.now)
    return bool(record.hours) and await practices.set_hours(conn, mirror.practice_id, record.hours)


async def _put_block_offs(
    conn: Connection, mirror: Mirror, records: list[pims.Change], resource_ids: dict[str, UUID]
) -> bool:
    """Write block-offs; of columns that the PIMS has not told of yet, remember that it put time there."""
    changed = False
    unknown: set[str] = set()
    for record in records:
        if isinstance(record, pims.Appointment):
            unknown.update(one for one in record.resources if one not in resource_ids)
        if not isinstance(record, pims.BlockOff):
            continue
        if record.resource not in resource_ids:
            unknown.add(record.resource)
        else:
            resource_id = resource_ids[record.resource]
            changed = await mirror_db.put_block_off(conn, mirror.practice_id, uuid4(), resource_id, record) or changed
    if unknown:
        await feeds.note_unknown_columns(conn, mirror.practice_id, mirror.connection_id, sorted(unknown))
    return changed


async def _put_care(conn: Connection, mirror: Mirror, records: list[pims.Change]) -> bool:
    changed = False
    for record in records:
        if isinstance(record, pims.Vaccination):
            changed = await patient_care.put_vaccination(conn, mirror.practice_id, record) or changed
        elif isinstance(record, pims.Reminder):
            changed = await patient_care.put_reminder(conn, mirror.practice_id, record) or changed
    return changed
