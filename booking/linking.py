"""Linking: a record of ours gets its identifier in the PIMS, even where a copy of that record came to us before."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from booking.contacts import read_email, read_phone
from booking.db import clients, linking, mirrored_people, practices, write_backs
from booking.db.pool import Connection
from booking.write_back_outcomes import Matched
from pims_adapters import contract as pims
from pims_adapters.contract import Kind


async def identify(conn: Connection, practice_id: UUID, kind: Kind, subject_id: UUID, pims_id: str) -> bool:
    """Give a record of ours its identifier in the PIMS. False: it is that of another appointment booked with us.

    Where sync has brought a copy before, an appointment takes the copy's place; a client or patient of ours gives way
    to the one who was there.
    """
    holder = await linking.holder_of(conn, practice_id, kind, pims_id)
    if holder is not None and holder.id != subject_id:
        if kind != "appointment":
            await linking.take_place_of(conn, practice_id, kind, subject_id, holder.id)
            return True
        if not holder.mirrored:
            return False
        await linking.absorb_copy(conn, practice_id, holder.id, subject_id)
        await practices.raise_schedule_version(conn, practice_id)
    await write_backs.set_pims_id(conn, practice_id, kind, subject_id, pims_id)
    return True


async def settle_match(
    conn: Connection,
    practice_id: UUID,
    kind: Literal["client", "patient"],
    subject_id: UUID,
    match: Matched,
    now: datetime,
) -> None:
    """Put whom the practice knows in the place of who is new to us; whom we had not heard of is mirrored first."""
    known_id = match.known_id
    if known_id is None:
        if match.shown is None:
            raise LookupError("A match is a record of ours or of the PIMS's.")
        known_id = await _mirrored(conn, practice_id, match.shown, now)
    if known_id != subject_id:
        await linking.take_place_of(conn, practice_id, kind, subject_id, known_id)


async def _mirrored(conn: Connection, practice_id: UUID, record: pims.Client, now: datetime) -> UUID:
    """Take a client of the PIMS into our mirror, as sync would have done; our id of them."""
    practice = await practices.practice_by_id(conn, practice_id)
    if practice is None:
        raise LookupError("A practice is kept as long as its connection.")
    await mirrored_people.put_clients(conn, practice_id, [(uuid4(), record)], now)
    client_id = (await mirrored_people.clients(conn, practice_id, [record.pims_id]))[record.pims_id].client_id
    read = [(read_phone(typed, practice.region), typed) for typed in record.phones]
    read += [(read_email(typed), typed) for typed in record.emails]
    await mirrored_people.forget_contacts(conn, practice_id, [client_id])
    contacts = [(client_id, contact, typed) for contact, typed in read if contact is not None]
    await clients.insert_contacts(conn, practice_id, contacts)
    return client_id
