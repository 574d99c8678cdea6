"""People: clients with their contacts, and patients, as the PIMS has them; who was joined into whom.

The PIMS owns them once they stand there. What is unchanged is not written.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from booking.contacts import Contact, read_email, read_phone
from booking.db import clients as clients_db
from booking.db import mirrored_people, staff_tasks
from booking.db.mirrored_people import MirroredClient, MirroredPatient
from booking.db.pool import Connection
from booking.sync.mirror import Mirror
from booking.sync.ours import Recognized
from pims_adapters import contract as pims

Typed = dict[tuple[str, str], tuple[Contact, str]]


async def put_clients(
    conn: Connection, mirror: Mirror, records: list[pims.Client], recognized: Recognized
) -> list[str]:
    """Mirror clients; the identifiers of those that were new or differed."""
    practice_id = mirror.practice_id
    known = await mirrored_people.clients(conn, practice_id, [one.pims_id for one in records])
    changed: list[tuple[UUID, pims.Client]] = []
    contacts: dict[UUID, Typed] = {}
    differing: list[str] = []
    for record in records:
        typed = _contacts(record, mirror.practice.region)
        ours = known.get(record.pims_id)
        if ours is not None and _somebody_else(ours, record, typed, recognized):
            await mirrored_people.unlink(conn, practice_id, "client", record.pims_id)
            await _tell_staff(conn, mirror, "client", record.pims_id)
            ours = None
        client_id = uuid4() if ours is None else ours.client_id
        if ours is None or _names(ours) != _names(record) or ours.merged:
            changed.append((client_id, record))
            differing.append(record.pims_id)
        if set(ours.contacts if ours else ()) != _as_kept(typed):
            contacts[client_id] = typed
            differing.append(record.pims_id)
    await mirrored_people.put_clients(conn, practice_id, changed, mirror.now)
    await mirrored_people.forget_contacts(conn, practice_id, [*contacts])
    rows = [(id_, contact, as_typed) for id_, typed in contacts.items() for contact, as_typed in typed.values()]
    await clients_db.insert_contacts(conn, practice_id, rows)
    return differing


def _contacts(record: pims.Client, region: str) -> Typed:
    """Return how a client can be reached. What cannot be read reaches nobody; the PIMS keeps it as it is."""
    read = [(read_phone(typed, region), typed) for typed in record.phones]
    read += [(read_email(typed), typed) for typed in record.emails]
    contacts: Typed = {}
    for contact, typed in read:
        if contact is not None:
            contacts.setdefault((contact.kind, contact.value), (contact, typed))
    return contacts


def _as_kept(typed: Typed) -> set[str]:
    return {f"{contact.kind} {contact.value} {as_typed}" for contact, as_typed in typed.values()}


def _names(one: MirroredClient | pims.Client) -> tuple[object, ...]:
    return one.given_name, one.family_name, one.active


def _somebody_else(ours: MirroredClient, record: pims.Client, typed: Typed, recognized: Recognized) -> bool:
    """Say whether an identifier under which we wrote a client now names another person, as after a restore."""
    if not ours.ours or recognized.get(("client", record.pims_id)) == ours.client_id:
        return False
    reached = {" ".join(one.split(" ", 2)[:2]) for one in ours.contacts}
    return (
        ours.given_name != record.given_name
        and ours.family_name != record.family_name
        and reached.isdisjoint(f"{kind} {value}" for kind, value in typed)
    )


async def put_patients(
    conn: Connection, mirror: Mirror, records: list[pims.Patient], recognized: Recognized
) -> list[str]:
    """Mirror patients; the identifiers of those that were new or differed.

    One may come before its client: a nameless place is kept for that one.
    """
    practice_id = mirror.practice_id
    known = await mirrored_people.patients(conn, practice_id, [one.pims_id for one in records])
    changed: list[tuple[UUID, pims.Patient]] = []
    for record in records:
        ours = known.get(record.pims_id)
        if ours is not None and _another_animal(ours, record, recognized):
            await mirrored_people.unlink(conn, practice_id, "patient", record.pims_id)
            await _tell_staff(conn, mirror, "patient", record.pims_id)
            ours = None
        if ours is None or ours.merged or _signalment(ours) != _signalment(record):
            changed.append((uuid4() if ours is None else ours.patient_id, record))
    if changed:
        places = [(uuid4(), pims_id) for pims_id in sorted({one.client for _, one in changed})]
        await mirrored_people.keep_places(conn, practice_id, places, mirror.now)
        await mirrored_people.put_patients(conn, practice_id, changed)
    return [one.pims_id for _, one in changed]


def _signalment(one: MirroredPatient | pims.Patient) -> tuple[object, ...]:
    return one.client, one.name, one.species, one.breed, one.sex, one.birth_date, one.status


def _another_animal(ours: MirroredPatient, record: pims.Patient, recognized: Recognized) -> bool:
    if not ours.ours or recognized.get(("patient", record.pims_id)) == ours.patient_id:
        return False
    return ours.name != record.name and ours.client != record.client


async def _tell_staff(conn: Connection, mirror: Mirror, kind: pims.Kind, pims_id: str) -> None:
    await staff_tasks.open_task(
        conn,
        mirror.practice_id,
        "another_record",
        f"{kind} {pims_id}",
        f"The {kind} that we wrote to the PIMS as number {pims_id} is no longer there: it shows somebody else under"
        " that number now, as after its data was restored. Please look whether they have to be entered again.",
        mirror.now,
    )


async def merge(conn: Connection, mirror: Mirror, merges: list[pims.Merged]) -> bool:
    """Join clients and patients as the PIMS did: never two of ours but on its word. Whether that changed anything."""
    changed = False
    for one in merges:
        changed = await mirrored_people.merge(conn, mirror.practice_id, one) or changed
    return changed
