"""Abilities by name: what is kept and told of a connection where its adapter is not at hand."""

from __future__ import annotations

from typing import Literal

from pims_adapters.contract.adapter import (
    CancelsAppointments,
    ChangesAppointments,
    ConfirmsAppointments,
    CreatesAppointments,
    CreatesClients,
    ExportsConversations,
    FindsClients,
    ListsRecords,
    NotesArrivals,
)

Ability = Literal[
    "creates_appointments",
    "creates_clients",
    "finds_clients",
    "lists_records",
    "changes_appointments",
    "cancels_appointments",
    "confirms_appointments",
    "notes_arrivals",
    "exports_conversations",
]

ABILITIES: dict[Ability, type] = {
    "creates_appointments": CreatesAppointments,
    "creates_clients": CreatesClients,
    "finds_clients": FindsClients,
    "lists_records": ListsRecords,
    "changes_appointments": ChangesAppointments,
    "cancels_appointments": CancelsAppointments,
    "confirms_appointments": ConfirmsAppointments,
    "notes_arrivals": NotesArrivals,
    "exports_conversations": ExportsConversations,
}


def abilities_of(adapter: object) -> frozenset[Ability]:
    """Return the names of what an adapter can do beyond what all of them can."""
    return frozenset(name for name, ability in ABILITIES.items() if isinstance(adapter, ability))
