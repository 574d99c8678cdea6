"""What is to be written into a PIMS."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct


class DraftField(Struct, frozen=True, kw_only=True):
    """What the PIMS asks of one field of a draft, named as in `ClientDraft`, `PatientDraft` or `AppointmentDraft`.

    `longest`: longer text would be refused or cut. `words`: the only values it takes, in our words.
    """

    of: Literal["client", "patient", "appointment"]
    field: str
    required: bool = False
    longest: int | None = None
    words: tuple[str, ...] | None = None


class ClientDraft(Struct, frozen=True, kw_only=True):
    """A new client to be created."""

    given_name: str
    family_name: str
    phone: str | None = None
    email: str | None = None
    address: str = ""
    city: str = ""
    postal_code: str = ""


class PatientDraft(Struct, frozen=True, kw_only=True):
    """A new patient of a client that stands in the PIMS."""

    client: str
    name: str
    species: str
    breed: str = ""
    sex: str = ""
    birth_date: date | None = None


class Visitor(Struct, frozen=True, kw_only=True):
    """Who comes, in words: for a PIMS that keeps no clients and patients, or writes them into its description."""

    client: str
    patient: str
    species: str = ""
    phone: str | None = None
    email: str | None = None


class AppointmentDraft(Struct, frozen=True, kw_only=True):
    """An appointment to be created, for a client and a patient that stand in the PIMS.

    `client` and `patient` are None only for a PIMS that keeps none (it has no `create_client`, `create_patient`).
    """

    client: str | None
    patient: str | None
    appointment_type: str
    start: datetime
    end: datetime
    resources: tuple[str, ...]
    description: str
    visitor: Visitor | None = None
    new_client: bool = False


class ConversationDraft(Struct, frozen=True, kw_only=True):
    """A conversation to be kept with a patient's records: a title, and the text with who said what and when."""

    client: str
    patient: str | None
    title: str
    text: str
    ended: datetime
