"""Matching: who is new to us may be known to the practice, and is then not created in its PIMS a second time.

A client is who has the same contact and the same name, and only a contact counts that was proven or that staff typed:
whoever claims somebody else's phone must not come into their records. A patient is a patient of the same client with
the same name and species. Two who fit are no match. What is found out shows to staff alone: the client is told nothing.
"""

from __future__ import annotations

import unicodedata

from msgspec import Struct

from booking.contacts import Contact
from booking.db import clients, linking
from booking.db.linking import Known
from booking.db.pool import Pool, of_practice
from booking.db.write_backs import WriteBack
from booking.write_back_outcomes import Matched
from pims_adapters import contract as pims


class Doubtful(Struct, frozen=True, kw_only=True):
    """Several fit, so none does; `note`: what staff should know."""

    note: str


def folded(name: str) -> str:
    """Return a name as it is compared: without case and accents, its spaces collapsed."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return " ".join(plain.casefold().split())


async def match_client(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack) -> Matched | Doubtful | None:
    """Look for a new client in our mirror and, where it can be asked, in the PIMS. Raises the adapter's errors."""
    practice_id = leased.practice_id
    async with of_practice(pool, practice_id) as conn:
        client = await clients.client_by_id(conn, practice_id, leased.subject_id)
        booked = await linking.booked_by(conn, practice_id, leased.appointment_id)
        if client is None or booked is None:
            return None
        if booked.source == "online":
            contacts = [booked.contact] if booked.contact else []
        else:
            contacts = await clients.contacts_of(conn, practice_id, leased.subject_id)
        mirrored = await linking.clients_reached_by(
            conn, practice_id, leased.subject_id, contacts, before=leased.position
        )
    name = folded(f"{client.given_name} {client.family_name}")
    known = [one for one in mirrored if folded(one.name) == name]
    asked = await _asked(adapter, contacts) if isinstance(adapter, pims.FindsClients) else []
    ids = {one.pims_id for one in known}
    unheard_of = {
        one.pims_id: one
        for one in asked
        if one.active and one.pims_id not in ids and folded(f"{one.given_name} {one.family_name}") == name
    }
    return _one_of(known, list(unheard_of.values()), "clients with this name and contact")


async def _asked(adapter: pims.FindsClients, contacts: list[Contact]) -> list[pims.Client]:
    found = []
    for contact in contacts:
        phone, email = (contact.value, None) if contact.kind == "phone" else (None, contact.value)
        found += await adapter.find_clients(phone=phone, email=email)
    return found


async def match_patient(pool: Pool, leased: WriteBack) -> Matched | Doubtful | None:
    """Look for a new patient among those that their client has."""
    async with of_practice(pool, leased.practice_id) as conn:
        patient = await clients.patient_by_id(conn, leased.practice_id, leased.subject_id)
        if patient is None:
            return None
        others = await linking.patients_like(conn, leased.practice_id, leased.subject_id, before=leased.position)
    known = [one for one in others if folded(one.name) == folded(patient.name)]
    return _one_of(known, [], "patients of this client with this name and species")


def _one_of(known: list[Known], unheard_of: list[pims.Client], who: str) -> Matched | Doubtful | None:
    match known, unheard_of:
        case [], []:
            return None
        case [one], []:
            return Matched(known_id=one.id)
        case [], [shown]:
            return Matched(shown=shown)
        case _:
            number = len(known) + len(unheard_of)
            return Doubtful(note=f"The PIMS had {number} {who} already; this is another. Please merge them there.")
