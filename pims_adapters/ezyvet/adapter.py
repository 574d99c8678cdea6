"""The contract's calls, as ezyVet answers them.

Every `pims_id` is ezyVet's number as text. A booking wants uids instead: columns and types have theirs in the lists
that are kept, contacts and animals are read before they are written, and a booking's own uid is turned into its number.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Literal, TypeVar

import msgspec

from pims_adapters import contract
from pims_adapters.contract import PimsRejected, PimsUnavailable
from pims_adapters.ezyvet import booking, drafts, feeds, records, search, wire
from pims_adapters.ezyvet.line import Call, Line, Refused
from pims_adapters.ezyvet.listing import listing_of
from pims_adapters.ezyvet.site import Site

R = TypeVar("R", bound=wire.Row)


class EzyVetAdapter:
    """One connection to one ezyVet site (see `contract.PimsAdapter` for what each call promises)."""

    feeds = feeds.FEEDS
    asks = (
        contract.DraftField(of="client", field="given_name", required=True),
        contract.DraftField(of="client", field="family_name", required=True),
        contract.DraftField(of="patient", field="name", required=True),
        contract.DraftField(of="patient", field="species", required=True),
    )
    write_lag = timedelta(seconds=10)

    def __init__(self, line: Line) -> None:
        self._line = line
        self._settings = line.settings
        self._site = Site(line.settings)
        self._booking = asyncio.Lock()

    async def check(self) -> contract.Checked:
        async with self._asking() as call:
            practice = await self._site.practice_now(call)
            return contract.Checked(practice=practice, clock=call.at)

    async def changes(self, feed: str, cursor: str | None) -> contract.ChangePage:
        async with self._asking() as call:
            return await feeds.page_of(call, self._site, self._settings, feed, cursor)

    async def listing(self, kind: contract.RecordKind, first: date, last: date) -> contract.Listing:
        async with self._asking() as call:
            return await listing_of(call, self._site, self._settings, kind, first, last)

    async def find_clients(self, *, phone: str | None, email: str | None) -> list[contract.Client]:
        async with self._asking() as call:
            return await search.clients_with(call, phone=phone, email=email)

    async def find(self, kind: contract.Kind, key: str) -> str | None:
        async with self._asking() as call:
            match kind:
                case "client":
                    return await search.find_client(call, self._site, key)
                case "patient":
                    return await search.find_patient(call, self._site, key)
                case "appointment":
                    return await search.find_appointment(call, self._site, key)

    async def read(
        self, kind: contract.Kind, pims_id: str
    ) -> contract.Client | contract.Patient | contract.Appointment | None:
        async with self._asking() as call:
            match kind:
                case "client":
                    contact = await booking.by_id(call, feeds.CONTACTS, wire.Contact, pims_id)
                    return next(iter(await records.clients(call, [contact])), None) if contact else None
                case "patient":
                    animal = await booking.by_id(call, feeds.ANIMALS, wire.Animal, pims_id)
                    return next(iter(await records.patients(call, self._site, [animal])), None) if animal else None
                case "appointment":
                    row = await booking.by_id(call, "/v2/appointment", wire.Appointment, pims_id)
                    return next(iter(await records.appointments(call, self._site, [row])), None) if row else None

    async def create_client(self, draft: contract.ClientDraft, key: str) -> str:
        async with self._asking() as call:
            return await _create(call, feeds.CONTACTS, drafts.new_contact(draft, key, self._settings.ownership_id))

    async def create_patient(self, draft: contract.PatientDraft, key: str) -> str:
        async with self._asking() as call:
            return await _create(call, feeds.ANIMALS, await drafts.new_animal(call, self._site, draft, key))

    async def create_appointment(self, draft: contract.AppointmentDraft, key: str) -> str | None:
        # One at a time: between looking whether the time is free and booking it, no other of ours may take it.
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await self._booking.acquire()
        except TimeoutError:
            raise PimsUnavailable("Other bookings are still on their way to ezyVet.", outcome_unknown=False) from None
        try:
            async with self._asking() as call:
                return await booking.book(call, self._site, draft, key, base=self._settings.booking_url)
        finally:
            self._booking.release()

    async def cancel_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002
        async with self._asking() as call:
            row = await _standing(call, pims_id)
            if not row.is_active:
                return
            body = {"cancel": True, "cancellation_reason_text": "Cancelled by the client online"}
            if (await _patch(call, row, body)).is_active:
                raise PimsUnavailable("ezyVet accepted the cancellation and does not show it.", outcome_unknown=True)

    async def confirm_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002
        await self._give_status(pims_id, "confirmed", unless=("confirmed", "arrived", "fulfilled"))

    async def note_arrival(
        self,
        pims_id: str,
        status: Literal["arrived", "fulfilled", "no_show"],
        key: str,  # noqa: ARG002
    ) -> None:
        await self._give_status(pims_id, status, unless=(status,))

    async def _give_status(self, pims_id: str, status: contract.Status, *, unless: tuple[contract.Status, ...]) -> None:
        async with self._asking() as call:
            row = await _standing(call, pims_id)
            if not row.is_active:
                raise PimsRejected("In ezyVet the appointment is cancelled.")
            (shown,) = await records.appointments(call, self._site, [row])
            if shown.status in unless:
                return
            ids = await self._site.status_ids(call, status)
            if not ids:
                raise PimsRejected(f"This ezyVet site has no status that means {status.replace('_', ' ')}.")
            await _patch(call, row, {"status_id": int(ids[0])})

    async def close(self) -> None:
        await self._line.close()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Call]:
        """Begin a call; a question that ezyVet refuses is one that it cannot answer now."""
        call = self._line.call()
        try:
            yield call
        except Refused as refusal:
            kinds = ", ".join(sorted(refusal.types)) or "no reason given"
            raise PimsUnavailable(
                f"ezyVet refused a question: status {refusal.status}, {kinds}.", outcome_unknown=call.wrote
            ) from None


async def _create(call: Call, path: str, body: dict[str, object]) -> str:
    made = await booking.write(call, "POST", path, body, wire.Listed)
    return _only_row(made, path.rsplit("/", 1)[1]).pims_id


async def _standing(call: Call, pims_id: str) -> wire.Appointment:
    row = await booking.by_id(call, "/v2/appointment", wire.Appointment, pims_id)
    if row is None:
        raise PimsRejected("ezyVet no longer has the appointment.")
    return row


async def _patch(call: Call, row: wire.Appointment, body: dict[str, object]) -> wire.Row:
    made = await booking.write(call, "PATCH", f"/v2/appointment/{row.id}", body, wire.Listed)
    after = _only_row(made, "appointment")
    if after.id != row.id:
        raise PimsUnavailable("ezyVet answered with another appointment.", outcome_unknown=True)
    return after


def _only_row(listed: wire.Listed, kind: str) -> wire.Row:
    """Return the row that a write was answered with; whatever else was answered, the write has left."""
    try:
        (item,) = listed.items
        return msgspec.json.decode(item[kind], type=wire.Row, strict=False)
    except (ValueError, KeyError, msgspec.MsgspecError):
        raise PimsUnavailable("ezyVet's answer to a write cannot be read.", outcome_unknown=True) from None
