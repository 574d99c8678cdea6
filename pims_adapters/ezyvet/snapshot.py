"""Following what ezyVet only shows whole: what differs from what was brought before, and what is no longer there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from pims_adapters.contract import AppointmentType, Change, CursorExpired, Gone, PlanningRule, Practice, Resource

LONGEST_CURSOR = 1_000_000
Shown = Practice | Resource | AppointmentType | PlanningRule
KINDS = {Practice: "practice", Resource: "resource", AppointmentType: "appointmenttype", PlanningRule: "planningrule"}


class Snapshot(Struct, frozen=True, forbid_unknown_fields=True):
    """What was brought, by kind and pims_id, as a digest; while it is read in parts, what was met and what is next."""

    version: Literal[1]

    held: dict[str, str] = {}
    met: list[str] = []
    part: int = 0


def read_snapshot(text: str | None) -> Snapshot:
    """Read a cursor that we gave out. Raises `CursorExpired` where it is none of ours."""
    if text is None:
        return Snapshot(version=1)
    try:
        if len(text) > LONGEST_CURSOR:
            raise CursorExpired("This cursor is none of ezyVet's.")
        return msgspec.json.decode(text, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise CursorExpired("This cursor is none of ezyVet's.") from None


def write_snapshot(known: Snapshot) -> str:
    return msgspec.json.encode(known).decode()


def compare(known: Snapshot, shown: Sequence[Shown], *, more: bool) -> tuple[list[Change], Snapshot]:
    """Return what is new in a part, with the last part what is gone, and the snapshot that follows."""
    digests = {_name(one): hashlib.blake2b(msgspec.json.encode(one), digest_size=12).hexdigest() for one in shown}
    changes: list[Change] = [one for one in shown if known.held.get(_name(one)) != digests[_name(one)]]
    held, met = known.held | digests, [*known.met, *digests]
    if more:
        return changes, Snapshot(version=1, held=held, met=met, part=known.part + 1)
    for name in sorted(held.keys() - set(met)):
        kind, pims_id = name.split(" ", 1)
        changes.append(msgspec.convert({"kind": "gone", "of": kind, "pims_id": pims_id}, Gone))
    return changes, Snapshot(version=1, held={name: held[name] for name in met})


def _name(record: Shown) -> str:
    return f"{KINDS[type(record)]} {record.pims_id}"
