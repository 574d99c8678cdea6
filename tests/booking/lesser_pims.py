"""Adapters to PIMS that can less than the demo's, or take their time: each is the demo's with a part left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from pims_adapters import contract as pims
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.exchange import Exchange

LAG = timedelta(minutes=3)


class NoPims:
    """A connection to nothing: our schedule is the truth."""

    feeds = ()

    async def check(self) -> pims.Checked:
        raise pims.PimsMisconfigured("There is no PIMS.")

    async def changes(self, feed: str, cursor: str | None) -> pims.ChangePage:
        raise pims.PimsMisconfigured(f"There is no PIMS to ask {feed} after {cursor}.")

    async def close(self) -> None:
        """Nothing is open."""


class Calendar:
    """A calendar that keeps no clients: it is told in words who comes, and remembers with whose words."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._demo = DemoAdapter(Exchange.of(settings))
        self.feeds, self.write_lag = self._demo.feeds, timedelta()
        self.asks: tuple[pims.DraftField, ...] = ()
        self.check, self.changes, self.close = self._demo.check, self._demo.changes, self._demo.close
        self.entries: dict[str, pims.AppointmentDraft] = {}

    async def create_appointment(self, draft: pims.AppointmentDraft, key: str) -> str:
        self.entries[key] = draft
        return key

    async def find(self, kind: pims.Kind, key: str) -> str | None:
        return key if kind == "appointment" and key in self.entries else None

    async def read(self, kind: pims.Kind, pims_id: str) -> pims.Appointment | None:
        draft = self.entries.get(pims_id) if kind == "appointment" else None
        if draft is None:
            return None
        return pims.Appointment(
            pims_id=pims_id, start=draft.start, end=draft.end, resources=draft.resources, marker=pims_id
        )


class Lagging(DemoAdapter):
    """A PIMS that says that it took something, and shows it three minutes later; `loses`: or never."""

    write_lag = LAG

    def __init__(self, settings: dict[str, str], clock: Callable[[], datetime], *, loses: bool = False) -> None:
        super().__init__(Exchange.of(settings))
        self._clock = clock
        self._loses = loses
        self.sent: dict[str, list[datetime]] = {}

    async def _accept(self, key: str) -> bool:
        self.sent.setdefault(key, []).append(self._clock())
        return not self._loses

    async def create_client(self, draft: pims.ClientDraft, key: str) -> None:  # type: ignore[override]
        if await self._accept(key):
            await super().create_client(draft, key)

    async def create_patient(self, draft: pims.PatientDraft, key: str) -> None:  # type: ignore[override]
        if await self._accept(key):
            await super().create_patient(draft, key)

    async def create_appointment(self, draft: pims.AppointmentDraft, key: str) -> None:  # type: ignore[override]
        if await self._accept(key):
            await super().create_appointment(draft, key)

    async def find(self, kind: pims.Kind, key: str) -> str | None:
        sent = self.sent.get(key)
        if sent is not None and self._clock() < sent[-1] + LAG:
            return None
        return await super().find(kind, key)


class Asking(DemoAdapter):
    """A PIMS that requires more of new clients and patients than a name."""

    asks = (
        pims.DraftField(of="client", field="address", required=True),
        pims.DraftField(of="client", field="postal_code", required=True),
        pims.DraftField(of="client", field="email", required=True),
        pims.DraftField(of="client", field="family_name", longest=20),
        pims.DraftField(of="patient", field="sex", required=True),
        pims.DraftField(of="patient", field="breed", words=("Mixed", "other")),
        pims.DraftField(of="appointment", field="description", longest=255),
    )


class Finding(DemoAdapter):
    """A PIMS that can be asked for clients by their contact."""

    def __init__(self, settings: dict[str, str], *clients: pims.Client) -> None:
        super().__init__(Exchange.of(settings))
        self._clients = clients

    async def find_clients(self, *, phone: str | None, email: str | None) -> list[pims.Client]:
        return [one for one in self._clients if phone in one.phones or email in one.emails]


class Noting(DemoAdapter):
    """A PIMS that can be told who came."""

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(Exchange.of(settings))
        self.noted: list[tuple[str, str]] = []

    async def note_arrival(
        self,
        pims_id: str,
        status: Literal["arrived", "fulfilled", "no_show"],
        key: str,  # noqa: ARG002
    ) -> None:
        self.noted.append((pims_id, status))

    async def read(self, kind: pims.Kind, pims_id: str) -> pims.Client | pims.Patient | pims.Appointment | None:
        shown = await super().read(kind, pims_id)
        noted = [status for id_, status in self.noted if id_ == pims_id]
        if isinstance(shown, pims.Appointment) and noted:
            return pims.Appointment(
                pims_id=pims_id,
                start=shown.start,
                end=shown.end,
                resources=shown.resources,
                status=noted[-1],  # type: ignore[arg-type]
                marker=shown.marker,
            )
        return shown


class Filing(DemoAdapter):
    """A PIMS that keeps conversations; the answers to the first few are `lost`."""

    def __init__(self, settings: dict[str, str], *, lost: int = 0) -> None:
        super().__init__(Exchange.of(settings))
        self._settings = settings
        self.lost = [None] * lost
        self.kept: dict[str, pims.ConversationDraft] = {}

    def again(self) -> Filing:
        """Return another adapter to the same PIMS."""
        other = Filing(self._settings)
        other.lost, other.kept = self.lost, self.kept
        return other

    async def export_conversation(self, draft: pims.ConversationDraft, key: str) -> str | None:
        if key in self.kept:
            raise AssertionError("It was sent twice.")
        self.kept[key] = draft
        if self.lost:
            self.lost.pop()
            raise pims.PimsUnavailable("No answer.", outcome_unknown=True)
        return key

    async def find_conversation(self, key: str) -> str | None:
        return key if key in self.kept else None
