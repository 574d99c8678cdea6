"""Dialect: what is particular to one system behind an agent; everything else is the same for all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from pims_adapters.contract import DraftField, Feed, Status

ResourceKind = Literal["provider", "technician"]
Standing = Literal["active", "inactive", "deceased"]
T = TypeVar("T", bound=str)


class Words(Generic[T]):
    """A system's words for something, and ours. Case, hyphens and extra blanks make no difference.

    Of several words for one thing the first is the one that is written.
    """

    def __init__(self, **ours: tuple[str, ...]) -> None:
        """Take the system's words by ours: `dog=("Canine", "Dog")`."""
        self._theirs = {one: words[0] for one, words in ours.items()}
        self._ours = {_plain(word): one for one, words in ours.items() for word in words}

    def ours(self, word: str, otherwise: T) -> T:
        """Return our word for one of the system's, or what it is to be where we have none."""
        return self._ours.get(_plain(word), otherwise)  # type: ignore[return-value]

    def theirs(self, ours: str) -> str:
        """Return the system's word for one of ours, or ours where it has none."""
        return self._theirs.get(ours, ours)


class Dialect(Struct, frozen=True, kw_only=True):
    """One system's words and habits.

    A word that is not among them is taken for what does least harm: an appointment is `booked` and keeps its time
    taken, a person is a provider, a client or patient is active, and a species or sex stays the system's word.
    """

    statuses: Words[Status]
    species: Words[str]
    sexes: Words[str]
    titles: Words[ResourceKind]
    standings: Words[Standing]
    feeds: tuple[Feed, ...]
    asks: tuple[DraftField, ...]
    write_lag: timedelta
    longest_notes: int


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("-", " ").replace("_", " ").split())
