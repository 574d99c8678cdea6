"""Ours: recognize records that we wrote when the PIMS shows them, perhaps before we heard that they were written.

By our key, which the record carries as its marker. Where a system loses it, an appointment is recognized by what it
says: same columns, time, type, client and patient; and only where there is no doubt which one is meant.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from booking.db import mirrored_appointments, write_backs
from booking.db.mirrored_appointments import Unshown
from booking.db.pool import Connection
from pims_adapters import contract as pims

KINDS: dict[type, pims.Kind] = {pims.Client: "client", pims.Patient: "patient", pims.Appointment: "appointment"}


class Words(NamedTuple):
    """All that an appointment says, in the PIMS's identifiers."""

    start: datetime
    end: datetime
    resources: frozenset[str]
    appointment_type: str | None
    client: str | None
    patient: str | None


Recognized = dict[tuple[pims.Kind, str], UUID]
"""Our id of what carries a key of ours, by kind and the PIMS's identifier."""


async def recognize(conn: Connection, practice_id: UUID, records: list[pims.Change]) -> Recognized:
    """Link what carries our keys to what we wrote."""
    found: Recognized = {}
    for record in records:
        if isinstance(record, pims.Client | pims.Patient | pims.Appointment) and record.marker is not None:
            kind = KINDS[type(record)]
            subject_id = await write_backs.subject_of_key(conn, practice_id, kind, record.marker)
            if subject_id is not None:
                found[kind, record.pims_id] = subject_id
    for (kind, pims_id), subject_id in sorted(found.items(), key=lambda one: one[1]):
        await mirrored_appointments.link(conn, practice_id, kind, subject_id, pims_id)
    return found


async def recognize_by_what_it_says(conn: Connection, practice_id: UUID, records: list[pims.Appointment]) -> None:
    """Link appointments without a marker that say word for word what one of ours does that was not shown yet."""
    unmarked = [one for one in records if one.marker is None and one.client is not None]
    known = await mirrored_appointments.mirrored(conn, practice_id, [one.pims_id for one in unmarked])
    shown: defaultdict[Words, list[str]] = defaultdict(list)
    for record in unmarked:
        if record.pims_id not in known:
            shown[_words_of(record)].append(record.pims_id)
    if not shown:
        return
    ours: defaultdict[Words, list[UUID]] = defaultdict(list)
    for one in await mirrored_appointments.unshown(conn, practice_id, [words.start for words in shown]):
        ours[_words_of(one)].append(one.appointment_id)
    for words, appointment_ids in ours.items():
        if len(appointment_ids) == 1 and len(shown[words]) == 1:
            await mirrored_appointments.link(conn, practice_id, "appointment", appointment_ids[0], shown[words][0])


def _words_of(one: pims.Appointment | Unshown) -> Words:
    return Words(one.start, one.end, frozenset(one.resources), one.appointment_type, one.client, one.patient)
