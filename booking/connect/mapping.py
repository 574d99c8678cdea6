"""Mapping: which of the PIMS's columns, appointment types and species are which of ours.

What is not named is taken over as it is: a column or type becomes one of ours under its own name, a species keeps its
word. What is to be ignored never enters the mirror.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from pims_adapters import contract as pims

PimsId = Annotated[str, Meta(min_length=1, max_length=200)]
Role = Annotated[str, Meta(min_length=1, max_length=60)]
Word = Annotated[str, Meta(min_length=1, max_length=60)]
OUR_SPECIES = ("dog", "cat", "rabbit", "bird", "reptile")


class Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of one column or type of the PIMS: one of ours, a new one of ours, or nothing.

    `roles`: what a column can serve with us; only for columns.
    """

    pims_id: PimsId
    becomes: Literal["ours", "new", "ignored"]
    ours: UUID | None = None
    roles: Annotated[tuple[Role, ...], Meta(max_length=20)] = ()


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was decided. `species`: the PIMS's word → ours, or any word that the practice prefers."""

    resources: Annotated[tuple[Link, ...], Meta(max_length=500)] = ()
    types: Annotated[tuple[Link, ...], Meta(max_length=1_000)] = ()
    species: Annotated[dict[Word, Word], Meta(max_length=500)] = {}

    def ignores(self, kind: Literal["resource", "appointmenttype"], pims_id: str) -> bool:
        """Say whether a column or type of the PIMS is to be left out."""
        links = self.resources if kind == "resource" else self.types
        return any(one.becomes == "ignored" and one.pims_id == pims_id for one in links)


class ImportSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the nightly part of the import runs, in which zone, and how far back the schedule is taken over.

    What is still to come always is: time that we did not know to be taken would be offered.
    """

    hour: Annotated[int, Meta(ge=0, le=23)] = 2
    timezone: Annotated[str, Meta(min_length=1, max_length=60)]
    days_back: Annotated[int, Meta(ge=0, le=730)] = 30


def mapped(changes: Iterable[pims.Change], mapping: Mapping) -> Iterator[pims.Change]:
    """Return the PIMS's records as they are to enter the mirror: without what is ignored, species in our words."""
    for change in changes:
        match change:
            case pims.Resource() if mapping.ignores("resource", change.pims_id):
                continue
            case pims.AppointmentType() if mapping.ignores("appointmenttype", change.pims_id):
                continue
            case pims.Patient() if change.species in mapping.species:
                yield msgspec.structs.replace(change, species=mapping.species[change.species])
            case _:
                yield change


def outside(one: pims.Appointment, window: ImportSettings | None, now: datetime) -> bool:
    """Say whether an appointment that we do not know yet is older than the practice wants it imported."""
    return window is not None and one.end < now - timedelta(days=window.days_back)


def in_their_words(draft: pims.PatientDraft, mapping: Mapping) -> pims.PatientDraft:
    """Return a draft with its species in the PIMS's word, where exactly one word of theirs means it."""
    theirs = [word for word, ours in mapping.species.items() if ours == draft.species]
    return msgspec.structs.replace(draft, species=theirs[0]) if len(theirs) == 1 else draft
