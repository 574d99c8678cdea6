"""EzyVet's words for species, sexes, statuses, blocks and columns, which each site may choose for itself, in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pims_adapters.contract import Status

ResourceKind = Literal["provider", "technician", "room", "equipment"]

SPECIES = {
    "dog": ("canine", "dog", "caninedog", "dogcanine", "dogs"),
    "cat": ("feline", "cat", "felinecat", "catfeline", "cats"),
    "rabbit": ("rabbit", "lagomorph", "lapine", "rabbits"),
    "bird": ("avian", "bird", "birds", "avianbird"),
    "reptile": ("reptile", "reptilian", "reptiles"),
}
SEXES = {
    "male": ("male", "maleentire", "entiremale", "maleintact", "intactmale", "m"),
    "male_neutered": ("maleneutered", "neuteredmale", "malecastrated", "castratedmale", "maledesexed", "mn"),
    "female": ("female", "femaleentire", "entirefemale", "femaleintact", "intactfemale", "f"),
    "female_spayed": ("femalespayed", "spayedfemale", "femaleneutered", "neuteredfemale", "femaledesexed", "fs"),
}
STATUSES: dict[Status, tuple[str, ...]] = {
    "booked": ("unconfirmed", "booked", "scheduled"),
    "confirmed": ("confirmed",),
    "arrived": ("arrived", "checkedin", "waiting", "inwaitingroom", "inconsult", "inprogress"),
    "fulfilled": ("completed", "complete", "departed", "checkedout", "discharged", "finished"),
    "no_show": ("noshow", "didnotarrive", "dna", "missed"),
    "cancelled": ("cancelled", "canceled"),
}
BLOCK = re.compile(r"\s*block(?:[ -]?(?:out|off))?\s*(?:[-\u2013:(].*)?", re.IGNORECASE)
COLUMNS: tuple[tuple[ResourceKind, re.Pattern[str]], ...] = (
    (
        "equipment",
        re.compile(r"\b(?:ultrasound|x-?ray|radiograph|mri|ct|laser|machine|equipment|scanner)", re.IGNORECASE),
    ),
    ("room", re.compile(r"\b(?:room|theat(?:re|er)|suite|ward|kennel|surgery \d)", re.IGNORECASE)),
    ("technician", re.compile(r"\b(?:tech|technician|nurse|rvt|lvt|cvt|assistant)\b", re.IGNORECASE)),
)


def letters(word: str) -> str:
    """Return a word's letters, small: `Male (Neutered)` and `male neutered` are the same."""
    return "".join(one for one in word.casefold() if one.isalnum())


def ours(word: str, known: Mapping[str, tuple[str, ...]]) -> str:
    """Return our word for theirs; theirs, where we have none."""
    return next((mine for mine, theirs in known.items() if letters(word) in theirs), word)


def status_of(name: str) -> Status:
    """Return what a status means; one that is not known keeps its time busy."""
    return next((mine for mine, theirs in STATUSES.items() if letters(name) in theirs), "booked")


def is_block(type_name: str) -> bool:
    """Tell whether entries of this type are no visits: `Block`, `Block Out - Unavailable`."""
    return BLOCK.fullmatch(type_name) is not None


def column_kind(name: str) -> ResourceKind:
    """Guess what a column is, which ezyVet does not tell; whoever sets up the practice can say otherwise."""
    return next((kind for kind, pattern in COLUMNS if pattern.search(name)), "provider")
