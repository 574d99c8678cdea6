"""How the systems differ: their words, the shape of their identifiers, and what an agent can write.

The words are assumptions (README): no public document lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Write = Literal[
    "create_client",
    "create_patient",
    "create_appointment",
    "confirm_appointment",
    "cancel_appointment",
    "set_status",
    "export_conversation",
]
Deletion = Literal["told", "silent"]


class Dialect(Struct, frozen=True, kw_only=True):
    """One system. `statuses` are by our words; `deletion`: whether the change log tells of what staff delete."""

    system: str
    version: str
    statuses: Mapping[str, str]
    more_statuses: tuple[str, ...] = ()
    freeing: tuple[str, ...]
    species: tuple[str, ...]
    sexes: tuple[str, ...]
    provider: str
    technician: str
    first_ids: Mapping[str, int]
    writes: frozenset[Write]
    deletion: Deletion
    read_lag_seconds: float
    write_lag_seconds: tuple[float, float]


CREATIONS: tuple[Write, ...] = (
    "create_client",
    "create_patient",
    "create_appointment",
    "confirm_appointment",
    "export_conversation",
)

CORNERSTONE = Dialect(
    system="cornerstone",
    version="9.4",
    statuses={
        "booked": "",
        "confirmed": "Confirmed",
        "arrived": "Checked in",
        "fulfilled": "Checked out",
        "cancelled": "Cancelled",
        "no_show": "No show",
    },
    freeing=("Cancelled", "No show"),
    species=("Canine", "Feline", "Rabbit", "Avian", "Reptile"),
    sexes=("MN", "FS", "M", "F"),
    provider="Veterinarian",
    technician="Technician",
    first_ids={"client": 10001, "patient": 20001, "appointment": 500001},
    writes=frozenset(CREATIONS),
    deletion="told",
    read_lag_seconds=30 * 60,
    write_lag_seconds=(60, 180),
)

AVIMARK = Dialect(
    system="avimark",
    version="2022.10.6",
    statuses={
        "booked": "",
        "confirmed": "Confirmed",
        "arrived": "Arrived",
        "fulfilled": "Completed",
        "cancelled": "Cancelled",
        "no_show": "No Show",
    },
    more_statuses=("Rescheduled",),
    freeing=("Cancelled", "No Show", "Rescheduled"),
    species=("CANINE", "FELINE", "RABBIT", "AVIAN", "REPTILE"),
    sexes=("N", "S", "M", "F"),
    provider="Doctor",
    technician="Technician",
    # A record's number is its position in the file.
    first_ids={},
    writes=frozenset(CREATIONS),
    deletion="silent",
    read_lag_seconds=5 * 60,
    write_lag_seconds=(60, 180),
)

DIALECTS = {dialect.system: dialect for dialect in (CORNERSTONE, AVIMARK)}
