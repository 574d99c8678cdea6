"""What each folder of `pims_adapters` brings to the contract suite: its double, and the hands of the practice's people.

The folder `x` has `tests/pims_adapters/x/peer.py`, which offers `PEER`: a `SystemPeer`, or a bare `Peer` where the
adapter neither reads nor writes. Everything a peer tells of its double, it knows past the adapter.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pims_adapters import open_adapter
from pims_adapters.contract import (
    AppointmentDraft,
    ClientDraft,
    Kind,
    PatientDraft,
    PimsAdapter,
    RecordKind,
    Relay,
    Visitor,
)

Fault = Literal[
    "refused",  # the PIMS says no; nothing done
    "rate_limited",  # the PIMS asks for patience; nothing done
    "unavailable",  # the PIMS says that it cannot now; nothing done
    "reset_before",  # the line breaks before anything is done
    "answer_lost",  # done, then the line breaks
    "error_after",  # done, then the PIMS says that it failed
    "broken_answer",  # done, then an answer nobody can read
    "slow",  # done, then an answer later than an impatient adapter waits
]
DONE: frozenset[Fault] = frozenset({"answer_lost", "error_after", "broken_answer", "slow"})

Way = Literal["well", "impatient", "wrong_credential", "unreachable"]
"""How an adapter is connected: as it should be; waiting half a second at most; as a stranger; to where nobody is."""

VISITOR = Visitor(
    client="Zebulon Quillfeather",
    patient="Snugglepuff",
    species="dog",
    phone="+12125550191",
    email="zq@example.com",
)
PERSONAL = ("Zebulon", "Quillfeather", "Snugglepuff", "5550191", "zq@example")
"""Words that must not turn up in an error: what peers and promises write about people is made of them."""


class Peer(ABC):
    """A running double and the settings that open an adapter on it."""

    name: ClassVar[str]
    """The folder of `pims_adapters`."""
    misfits: ClassVar[tuple[dict[str, str], ...]] = ()
    """Settings that do not fit, laid over those that do."""
    ways: ClassVar[frozenset[Way]] = frozenset({"well"})
    """The ways to connect that mean something here."""

    settings: dict[str, str]
    relay: Relay | None = None

    @classmethod
    @abstractmethod
    def running(cls) -> AbstractAsyncContextManager[Self]:
        """Start the double; it ends with the context."""

    def connect(self, way: Way = "well") -> PimsAdapter:
        """Open an adapter; the caller closes it."""
        assert way == "well", f"{type(self).__name__} does not say how to connect when {way}."
        return self.connect_by(self.settings)

    @asynccontextmanager
    async def connected(self, way: Way = "well") -> AsyncIterator[Any]:
        """Lend an adapter, of whose abilities the caller knows."""
        adapter = self.connect(way)
        try:
            yield adapter
        finally:
            await adapter.close()

    def connect_by(self, settings: dict[str, str]) -> PimsAdapter:
        """Open an adapter by other settings than those that fit."""
        return open_adapter(self.name, settings, self.relay)


class SystemPeer(Peer):
    """The peer of an adapter that reads or writes."""

    ways = frozenset({"well", "impatient", "wrong_credential", "unreachable"})
    faults: ClassVar[frozenset[Fault]] = DONE | {"refused", "rate_limited", "unavailable", "reset_before"}
    """What can be ordered here."""
    unknown_after: ClassVar[frozenset[Fault]] = DONE | {"unavailable", "reset_before"}
    """The faults after which a write may have happened, as far as an adapter can tell."""
    refuses_taken: ClassVar[bool] = True
    """The PIMS, or the adapter for it, refuses a time that is not free there."""
    writes_in_parts: ClassVar[bool] = False
    """A write may take several requests, so that it can happen in part; sent again, it heals."""
    repeats: ClassVar[int] = 0
    """How many records a feed may bring again, unchanged, when nothing happened (deltas by time overlap)."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        """The last cursor that the suite met in each feed."""
        self._keys = itertools.count(1)

    def key(self) -> str:
        """Return a key of ours that was never used."""
        return f"VS-{next(self._keys):05}"

    # What is there.

    @abstractmethod
    async def held(self) -> set[tuple[RecordKind, str]]:
        """Return what the feeds have to bring from the beginning: every record that stands, by kind and pims_id."""

    @abstractmethod
    async def count(self, kind: Kind, key: str) -> int:
        """Count the records that carry our key."""

    # What is to be written. Texts about people are made of `PERSONAL` words.

    @abstractmethod
    def draft(self) -> AppointmentDraft:
        """Return an appointment that stands in nobody's way, each time another with an hour free on both sides."""

    @abstractmethod
    def draft_elsewhere(self) -> AppointmentDraft:
        """Return the same for other resources."""

    def client_draft(self) -> ClientDraft:
        """Return a client that does not stand there yet."""
        return ClientDraft(
            given_name="Zebulon", family_name="Quillfeather", phone="+12125550191", email="zq@example.com"
        )

    def patient_draft(self, client: str) -> PatientDraft:
        """Return a patient for a client that stands there."""
        return PatientDraft(client=client, name="Snugglepuff", species="dog", sex="male")

    # What the practice's own people do.

    @abstractmethod
    async def staff_book(self, start: datetime, end: datetime, resources: tuple[str, ...], words: str) -> str:
        """Put an appointment on the schedule, words in its description; its pims_id."""

    @abstractmethod
    async def staff_move(self, pims_id: str, start: datetime, end: datetime) -> None:
        """Move an appointment to another time."""

    @abstractmethod
    async def staff_cancel(self, pims_id: str) -> None:
        """Cancel an appointment."""

    @abstractmethod
    async def staff_delete(self, pims_id: str) -> None:
        """Remove an appointment, as a mistaken entry is removed."""

    # How it misbehaves.

    @abstractmethod
    async def order(self, fault: Fault, on: Literal["read", "write"]) -> None:
        """Let the next request of the adapter that reads, or the next that writes, go wrong."""

    @abstractmethod
    async def calm(self) -> None:
        """Forget the faults that were ordered and not met."""

    async def recover(self) -> None:
        """Wait until a slow answer no longer keeps the double from answering others."""

    async def settle(self) -> None:
        """Let so much time pass that what was done shows: to the feeds, and to `find`."""

    async def forget_cursors(self) -> bool:
        """Forget every cursor given out so far, as the PIMS might; False where cursors here never expire."""
        return False
