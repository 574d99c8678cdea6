"""What an adapter does: what all of them have in common, and the abilities of which each has some."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, Protocol, runtime_checkable

from pims_adapters.contract.drafts import AppointmentDraft, ClientDraft, ConversationDraft, DraftField, PatientDraft
from pims_adapters.contract.reading import ChangePage, Checked, Feed, Listing
from pims_adapters.contract.records import Appointment, Client, Kind, Patient, RecordKind


class PimsAdapter(Protocol):
    """One connection to one practice's PIMS. Every call has a time-out of its own and raises only `PimsError`s.

    This is what all of them have in common; whatever else a PIMS can do is one of the abilities below.
    """

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The streams of changes to be read; none, where our schedule is the truth."""

    async def check(self) -> Checked:
        """Prove that address and credentials work."""

    async def changes(self, feed: str, cursor: str | None) -> ChangePage:
        """Return what changed since the cursor; None begins at the beginning."""

    async def close(self) -> None:
        """Let go of connections."""


# Abilities: what not every PIMS allows. An adapter says that its PIMS does by having the method: `isinstance` asks for
# it. A `key` is ours for this one write, and the record carries it where `find` can see it. Whoever creates reads back.


@runtime_checkable
class CreatesAppointments(Protocol):
    """The PIMS lets appointments be created, looked for by our key, and read back.

    A creation returns the new record's identifier, or None where the PIMS has accepted it and shows it later.
    """

    @property
    def write_lag(self) -> timedelta:
        """How long what was sent may take until `find` sees it; absence before that proves nothing."""

    @property
    def asks(self) -> tuple[DraftField, ...]:
        """What it asks of drafts beyond what our structs do."""

    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str | None:
        """Create an appointment that carries our key."""

    async def find(self, kind: Kind, key: str) -> str | None:
        """Look in the PIMS, not in a copy of it, for the record that carries our key; its pims_id."""

    async def read(self, kind: Kind, pims_id: str) -> Client | Patient | Appointment | None:
        """Read one record back as it stands in the PIMS now."""


@runtime_checkable
class CreatesClients(Protocol):
    """The PIMS keeps clients and patients, and lets them be created."""

    async def create_client(self, draft: ClientDraft, key: str) -> str | None:
        """Create a client that carries our key."""

    async def create_patient(self, draft: PatientDraft, key: str) -> str | None:
        """Create a patient that carries our key."""


@runtime_checkable
class FindsClients(Protocol):
    """The PIMS can be asked for clients by a phone or an email, beyond what our mirror has heard of."""

    async def find_clients(self, *, phone: str | None, email: str | None) -> list[Client]:
        """Return the active clients that have this phone (E.164) or email; several are an answer, too."""


@runtime_checkable
class ListsRecords(Protocol):
    """The PIMS can be asked for everything of a kind, so that what vanished without a word is noticed."""

    async def listing(self, kind: RecordKind, first: date, last: date) -> Listing:
        """Return every record; of appointments and block-offs those that touch the local days, at most 62."""


# Changes say how the appointment is to stand, so that sending them twice does no more than sending them once.


@runtime_checkable
class ChangesAppointments(Protocol):
    """The PIMS lets an appointment be moved: to another time, other resources, or both."""

    async def change_appointment(self, pims_id: str, draft: AppointmentDraft, key: str) -> None:
        """Let the appointment stand as the draft says. `PimsRejected.taken` where that time is not free there."""


@runtime_checkable
class CancelsAppointments(Protocol):
    """The PIMS lets an appointment be cancelled."""

    async def cancel_appointment(self, pims_id: str, key: str) -> None:
        """Cancel the appointment; one that is cancelled stays so."""


@runtime_checkable
class ConfirmsAppointments(Protocol):
    """The PIMS can be told that the client will come."""

    async def confirm_appointment(self, pims_id: str, key: str) -> None:
        """Mark the appointment confirmed; one that is confirmed stays so."""


@runtime_checkable
class NotesArrivals(Protocol):
    """The PIMS can be told that the client came, was seen, or did not come."""

    async def note_arrival(self, pims_id: str, status: Literal["arrived", "fulfilled", "no_show"], key: str) -> None:
        """Give the appointment this status; one that has it keeps it."""


@runtime_checkable
class ExportsConversations(Protocol):
    """The PIMS takes a conversation as an attachment or a note of a client's or patient's records."""

    async def export_conversation(self, draft: ConversationDraft, key: str) -> str | None:
        """Keep the conversation there; its pims_id, where it gets one."""

    async def find_conversation(self, key: str) -> str | None:
        """Look for the conversation that carries our key."""
