"""Details: what the practice's PIMS requires of new clients and patients is asked before a visit is booked."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from booking.contacts import Contact
from booking.db.clients import Client, Patient, Where
from pims_adapters.contract import DraftField

MISSING = {
    "phone": "Please enter a phone number, too.",
    "email": "Please enter an email address, too.",
    "address": "Please enter your street and house number.",
    "city": "Please enter your city.",
    "postal_code": "Please enter your postal code.",
    "breed": "Please enter the breed.",
    "sex": "Please choose the sex.",
    "birth_date": "Please enter the date of birth; a guess is fine.",
}
ALWAYS_ASKED = ("given_name", "family_name", "name", "species")


class DetailProblem(Struct, frozen=True, kw_only=True):
    """What is missing: whose, by the place of a patient among those sent or None for the client, and which field."""

    patient: int | None
    field: str
    message: str


class DetailsRefused(Exception):
    """Some details are missing that the practice needs of new clients and pets. Please add them."""

    def __init__(self, problems: list[DetailProblem]) -> None:
        """Carry what is missing, field by field."""
        super().__init__(self.__doc__)
        self.problems = problems

    @property
    def members(self) -> dict[str, object]:
        """What an answer of the API says beside the message."""
        return {"errors": [{"path": _path(one), "message": one.message} for one in self.problems]}


def _path(problem: DetailProblem) -> str:
    field = camel(problem.field)
    return f"newClient.{field}" if problem.patient is None else f"patients[{problem.patient}].{field}"


def camel(field: str) -> str:
    """Return a field's name as requests name it."""
    first, *more = field.split("_")
    return first + "".join(part.capitalize() for part in more)


def asked(asks: Sequence[DraftField]) -> list[DraftField]:
    """Return what is to be asked beyond what always is: required, of new clients and patients."""
    return [ask for ask in asks if ask.required and ask.of in ("client", "patient") and ask.field not in ALWAYS_ASKED]


def check_details(
    asks: Sequence[DraftField],
    *,
    client: Client | None,
    contacts: Sequence[Contact],
    where: Where,
    patients: Sequence[tuple[int, Patient]],
) -> None:
    """Refuse a booking that lacks what the PIMS requires of a new client and of new patients, by their places.

    Raises `DetailsRefused`.
    """
    problems = []
    for ask in asked(asks):
        if ask.of == "client" and client is not None and not _of_client(ask.field, contacts, where):
            problems.append(_missing(None, ask.field))
        elif ask.of == "patient":
            problems += [_missing(place, ask.field) for place, one in patients if not getattr(one, ask.field, True)]
    if problems:
        raise DetailsRefused(problems)


def _of_client(field: str, contacts: Sequence[Contact], where: Where) -> bool:
    """Say whether a client gave a field; one that we know nothing of cannot be asked for."""
    if field in ("phone", "email"):
        return any(one.kind == field for one in contacts)
    return bool(getattr(where, field, True))


def _missing(patient: int | None, field: str) -> DetailProblem:
    field_ = "other_contact" if field in ("phone", "email") else field
    what = MISSING.get(field, "Please fill this in.")
    return DetailProblem(patient=patient, field=field_, message=what)
