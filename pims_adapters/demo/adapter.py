"""The contract's calls, as the demo PIMS answers them."""

from datetime import timedelta
from urllib.parse import quote

from pims_adapters import contract
from pims_adapters.demo import wire
from pims_adapters.demo.exchange import Exchange, NoSuchRecord

PAGE = 300
EVERYTHING = contract.Feed(
    name="everything",
    kinds=(
        "practice",
        "resource",
        "closure",
        "blockoff",
        "appointmenttype",
        "client",
        "patient",
        "appointment",
    ),
)
PATHS: dict[contract.Kind, str] = {"client": "clients", "patient": "patients", "appointment": "appointments"}


class DemoAdapter:
    """One connection to one demo PIMS (see `contract.PimsAdapter` for what each call promises)."""

    feeds = (EVERYTHING,)
    asks: tuple[contract.DraftField, ...] = (
        contract.DraftField(of="client", field="given_name", longest=200),
        contract.DraftField(of="client", field="family_name", longest=200),
        contract.DraftField(of="patient", field="name", longest=200),
        contract.DraftField(of="patient", field="breed", longest=200),
        contract.DraftField(of="appointment", field="description", longest=4000),
    )
    write_lag = timedelta()

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def check(self) -> contract.Checked:
        return contract.Checked(practice=(await self._exchange.get("/v1/practice", wire.Practice)).read())

    async def changes(self, feed: str, cursor: str | None) -> contract.ChangePage:  # noqa: ARG002
        query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor is not None else {})
        return (await self._exchange.get("/v1/changes", wire.ChangePage, **query)).read()

    async def create_client(self, draft: contract.ClientDraft, key: str) -> str:
        return (await self._exchange.post("/v1/clients", wire.new_client(draft, key), wire.Created)).id

    async def create_patient(self, draft: contract.PatientDraft, key: str) -> str:
        return (await self._exchange.post("/v1/patients", wire.new_patient(draft, key), wire.Created)).id

    async def create_appointment(self, draft: contract.AppointmentDraft, key: str) -> str:
        return (await self._exchange.post("/v1/appointments", wire.new_appointment(draft, key), wire.Created)).id

    async def change_appointment(self, pims_id: str, draft: contract.AppointmentDraft, key: str) -> None:  # noqa: ARG002
        await self._change(pims_id, "change", wire.changed_appointment(draft))

    async def cancel_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002
        await self._change(pims_id, "cancel", {})

    async def confirm_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002
        await self._change(pims_id, "confirm", {})

    async def _change(self, pims_id: str, what: str, body: object) -> None:
        try:
            await self._exchange.post(f"/v1/appointments/{quote(pims_id, safe='')}/{what}", body, wire.Created)
        except NoSuchRecord:
            raise contract.PimsRejected("The PIMS no longer has the appointment.") from None

    async def find(self, kind: contract.Kind, key: str) -> str | None:
        """Return the oldest record with our key: should there be two, the second is the mistake."""
        found = await self._exchange.get(f"/v1/{PATHS[kind]}", wire.Found, external_key=key)
        return found.items[0].id if found.items else None

    async def read(
        self, kind: contract.Kind, pims_id: str
    ) -> contract.Client | contract.Patient | contract.Appointment | None:
        path = f"/v1/{PATHS[kind]}/{quote(pims_id, safe='')}"
        try:
            record: wire.Client | wire.Patient | wire.Appointment = await self._exchange.get(path, wire.OURS[kind])
        except NoSuchRecord:
            return None
        return record.read()

    async def close(self) -> None:
        await self._exchange.close()
