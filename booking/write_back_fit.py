"""Fit: bring what we write into the form that the practice's PIMS takes, and say what it does not take.

Nothing is lost by it: the whole stands with us, and the outbox's line has a note for staff.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from pims_adapters import contract as pims

LONGEST_DESCRIPTION = 2000
"""For a PIMS that does not say how much it takes."""
CUT = "…"
ANY_OTHER = "other"

Draft = pims.ClientDraft | pims.PatientDraft | pims.AppointmentDraft
D = TypeVar("D", bound=Draft)
OF: dict[type, str] = {pims.ClientDraft: "client", pims.PatientDraft: "patient", pims.AppointmentDraft: "appointment"}


def fitted(draft: D, asks: Iterable[pims.DraftField]) -> tuple[D, str | None]:
    """Return a draft as the PIMS takes it, and what staff should know about that, if anything.

    Too long text is cut. A word that the PIMS does not know becomes `other` where it knows that, and is left out else.
    """
    notes = []
    for ask in _with_bounds(draft, asks):
        value = getattr(draft, ask.field, None)
        if not isinstance(value, str) or not value:
            continue
        fit = value
        if ask.words is not None and value not in ask.words:
            fit = ANY_OTHER if ANY_OTHER in ask.words else ""
            notes.append(f"The PIMS has no {_label(ask)} “{value}”: please look at it there.")
        elif ask.longest is not None and len(value) > ask.longest:
            fit = value[: ask.longest - 1].rstrip() + CUT
            notes.append(f"The {_label(ask)} is cut to {ask.longest} letters in the PIMS; the whole stands with us.")
        draft = msgspec.structs.replace(draft, **{ask.field: fit})
    return draft, " ".join(notes) or None


def missing(draft: pims.ClientDraft | pims.PatientDraft, asks: Iterable[pims.DraftField]) -> list[str]:
    """Return the labels of what the PIMS requires and the draft does not have."""
    of = OF[type(draft)]
    return [_label(ask) for ask in asks if ask.of == of and ask.required and not getattr(draft, ask.field, None)]


def _with_bounds(draft: D, asks: Iterable[pims.DraftField]) -> list[pims.DraftField]:
    found = [ask for ask in asks if ask.of == OF[type(draft)]]
    if OF[type(draft)] == "appointment" and not any(ask.longest for ask in found if ask.field == "description"):
        found.append(pims.DraftField(of="appointment", field="description", longest=LONGEST_DESCRIPTION))
    return found


def _label(ask: pims.DraftField) -> str:
    return ask.field.replace("_", " ")
