"""How a promise of the contract is written down, and of which adapters it is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pims_adapters import system_of
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
    PimsAdapter,
    abilities_of,
)
from pims_adapters.contract.abilities import ABILITIES
from tests.pims_adapters.peers import Fault, Peer, SystemPeer, Way

Keep = Callable[[Any, Any], Awaitable[None]]
"""Takes the peer and an adapter that is connected well; fails where the promise is not kept."""


class Creates(PimsAdapter, CreatesAppointments, Protocol):
    """What most promises are asked of."""


class Everything(
    Creates,
    CreatesClients,
    ChangesAppointments,
    CancelsAppointments,
    ConfirmsAppointments,
    NotesArrivals,
    FindsClients,
    ListsRecords,
    ExportsConversations,
    Protocol,
):
    """An adapter with the abilities that the promise asks for, and for the type checker with all others, too."""


@dataclass(frozen=True)
class Promise:
    """Something every adapter that has these abilities (and feeds, ways and faults) keeps."""

    name: str
    keep: Keep
    abilities: frozenset[type] = frozenset()
    feeds: bool = False
    way: Way = "well"
    fault: Fault | None = None
    where: Callable[[type[SystemPeer]], bool] = lambda _peer: True

    def asked_of(self, peer: type[Peer]) -> bool:
        """Tell whether the adapter that the peer belongs to promises this."""
        adapter = system_of(peer.name).adapter
        claimed = {ABILITIES[name] for name in abilities_of(adapter)}
        has = self.abilities <= claimed and (not self.feeds or has_feeds(adapter))
        if not has or self.way not in peer.ways:
            return False
        if issubclass(peer, SystemPeer):
            return (self.fault is None or self.fault in peer.faults) and self.where(peer)
        return not self.abilities and not self.feeds and self.fault is None


def has_feeds(adapter: type) -> bool:
    return getattr(adapter, "feeds", ()) != ()


PROMISES: dict[str, Promise] = {}


def promise(
    *abilities: type,
    feeds: bool = False,
    way: Way = "well",
    where: Callable[[type[SystemPeer]], bool] = lambda _peer: True,
) -> Callable[[Keep], Keep]:
    """Write down a promise under its function's name."""

    def write_down(keep: Keep) -> Keep:
        name = keep.__name__
        add(Promise(name, keep, frozenset(abilities), feeds=feeds, way=way, where=where))
        return keep

    return write_down


def add(one: Promise) -> None:
    """Write down a promise."""
    assert one.name not in PROMISES, f"There are two promises called {one.name}."
    PROMISES[one.name] = one
