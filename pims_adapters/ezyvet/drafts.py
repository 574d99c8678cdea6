"""What is written into ezyVet, as it wants it: contacts and animals with numbers, bookings with uids."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time

from pims_adapters.contract import AppointmentDraft, ClientDraft, PatientDraft, PimsRejected
from pims_adapters.ezyvet import wire, words
from pims_adapters.ezyvet.line import Call
from pims_adapters.ezyvet.marker import marked
from pims_adapters.ezyvet.site import Columns, Site

EMAIL, MOBILE = "1", "3"
"""The kinds of contact details that ezyVet comes with."""
SHORTEST, LONGEST, STEP = 10, 360, 5
"""Minutes that a booking may last."""
UNKNOWN = ("unknown", "notspecified", "unspecified", "mixed", "mixedbreed", "other")
EMAIL_NAME, MOBILE_NAME = "Email Address", "Mobile Phone"


def detail_names(key: str) -> list[str]:
    """Return the names under which a contact's details may carry our key."""
    return [marked(EMAIL_NAME, key), marked(MOBILE_NAME, key)]


def new_contact(draft: ClientDraft, key: str, ownership_id: int | None) -> dict[str, object]:
    """Write a client; our key stands beside a phone or email, since contacts have no notes."""
    details = [(EMAIL_NAME, draft.email, EMAIL)] if draft.email else []
    details += [(MOBILE_NAME, draft.phone, MOBILE)] if draft.phone else []
    if not details:
        raise PimsRejected("ezyVet takes a new client with a phone or an email only.")
    body: dict[str, object] = {
        "first_name": draft.given_name,
        "last_name": draft.family_name,
        "is_customer": 1,
        "stop_credit": "OK",
        "contact_detail_list": [
            {"name": marked(name, key), "value": value, "contact_detail_type_id": kind, "preferred": 1}
            for name, value, kind in details
        ],
    }
    return body | ({} if ownership_id is None else {"ownership_id": str(ownership_id)})


async def new_animal(call: Call, site: Site, draft: PatientDraft, key: str) -> dict[str, object]:
    """Write a patient; a breed that the site does not list is noted in words."""
    species = await _id_of(call, site, "/v1/species", draft.species, words.SPECIES)
    if species is None:
        raise PimsRejected(f"This ezyVet site has no species {draft.species!r}.")
    sex = await _id_of(call, site, "/v1/sex", draft.sex, words.SEXES) or await _unknown(call, site, "/v1/sex")
    breeds = (await site.named(call, "/v1/breed", set())).values()
    breed = next(
        (
            one.pims_id
            for one in breeds
            if one.is_active
            and words.letters(one.name) == words.letters(draft.breed)
            and wire.identifier(one.species_id) in (None, species)
        ),
        None,
    )
    told = f"Breed: {draft.breed}" if draft.breed and breed is None else ""
    body: dict[str, object] = {
        "contact_id": draft.client,
        "name": draft.name,
        "species_id": species,
        "breed_id": breed,
        "notes": marked(told, key),
    }
    if sex is not None:
        body["sex_id"] = sex
    if draft.birth_date is not None:
        born = datetime.combine(draft.birth_date, time(), await site.zone(call))
        body["date_of_birth"] = str(wire.epoch(born))
    return body


def new_booking(
    draft: AppointmentDraft,
    key: str,
    *,
    kind: wire.AppointmentType,
    columns: Columns,
    contact: wire.Contact,
    animal: wire.Animal,
) -> dict[str, object]:
    """Write a booking. Raises `PimsRejected` for what ezyVet would not take."""
    minutes, rest = divmod((draft.end - draft.start).total_seconds(), 60)
    if rest or minutes % STEP or not SHORTEST <= minutes <= LONGEST:
        raise PimsRejected(f"ezyVet takes visits of {SHORTEST} to {LONGEST} minutes in steps of {STEP}.")
    rows = [columns.rows[one] for one in draft.resources if one in columns.rows]
    if not rows or len(rows) < len(draft.resources) or not all(one.uid for one in rows):
        raise PimsRejected("ezyVet has no such column any more.")
    provider = next((one for one in rows if words.column_kind(one.name) == "provider"), rows[0])
    return {
        "startTime": draft.start.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "type": kind.uid,
        "durationMinutes": int(minutes),
        "appointmentStatus": "unconfirmed",
        "description": marked(draft.description, key),
        "animal": animal.uid,
        "contact": contact.uid,
        "provider": provider.uid,
        "additionalResources": [one.uid for one in rows if one is not provider],
    }


async def _id_of(call: Call, site: Site, path: str, word: str, known: Mapping[str, tuple[str, ...]]) -> str | None:
    rows = [one for one in (await site.named(call, path, set())).values() if one.is_active]
    wanted = words.ours(word, known)
    return next((one.pims_id for one in rows if word and words.ours(one.name, known) == wanted), None)


async def _unknown(call: Call, site: Site, path: str) -> str | None:
    rows = (await site.named(call, path, set())).values()
    return next((one.pims_id for one in rows if one.is_active and words.letters(one.name) in UNKNOWN), None)
