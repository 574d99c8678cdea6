"""Abilities by name: what is kept and told of a connection where its adapter is not at hand.

They are derived from what an adapter's type implements, never declared beside it.
"""

from __future__ import annotations

from inspect import isfunction
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
    """Return the names of what an adapter, or any adapter of a type, can do beyond what all of them can.

    By calls alone, so that a type can be asked before anything is connected: `isinstance` wants values, too, such as
    `write_lag`.
    """
    return frozenset(name for name, ability in ABILITIES.items() if _has(adapter, calls_of(ability)))


def calls_of(ability: type) -> tuple[str, ...]:
    """Return the names of an ability's calls."""
    return tuple(name for name, value in vars(ability).items() if not name.startswith("_") and isfunction(value))


def _has(adapter: object, calls: tuple[str, ...]) -> bool:
    return all(callable(getattr(adapter, call, None)) for call in calls)
