"""Which abilities an adapter has: derived from what its type implements, never declared beside it."""

from inspect import isfunction

from pims_adapters.contract import (
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

ABILITIES: tuple[type, ...] = (
    CreatesAppointments,
    CreatesClients,
    ChangesAppointments,
    CancelsAppointments,
    ConfirmsAppointments,
    NotesArrivals,
    FindsClients,
    ListsRecords,
    ExportsConversations,
)


def calls_of(ability: type) -> tuple[str, ...]:
    """Return the names of an ability's calls."""
    return tuple(name for name, value in vars(ability).items() if not name.startswith("_") and isfunction(value))


def abilities_of(adapter: type) -> frozenset[type]:
    """Return the abilities of an adapter's type: those all of whose calls it has.

    A type can be asked before anything is connected, which `isinstance` cannot: it wants values such as `write_lag`.
    """
    return frozenset(one for one in ABILITIES if all(callable(getattr(adapter, call, None)) for call in calls_of(one)))
