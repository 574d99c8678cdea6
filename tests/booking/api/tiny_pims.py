"""A PIMS in a few lines, spoken to by its contract: a schedule that staff write on and that we read and write back to.

It hands out its changes in small pages, and accepts whatever its staff double-book.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec

from pims_adapters import contract as pims

Written = pims.Client | pims.Patient | pims.Appointment
PAGE = 4
KINDS: dict[type, pims.Kind] = {pims.Client: "client", pims.Patient: "patient", pims.Appointment: "appointment"}


class TinyPims:
    """Every record that was ever written, in its latest state; `changes` go by the order of their last change."""

    def __init__(self) -> None:
        self._records: dict[tuple[pims.Kind, str], Written] = {}
        self._log: list[pims.Change] = []
        self._ids = 0
        self.made = Counter[str]()
        """How often a record was made under a key of ours."""

    @property
    def appointments(self) -> list[pims.Appointment]:
        """What stands on the schedule, in the order in which it came there."""
        return [one for one in self._records.values() if isinstance(one, pims.Appointment)]

    def staff_book(self, start: datetime, length: timedelta, columns: tuple[str, ...]) -> None:
        """Book as the practice's staff do: whatever stands there already."""
        self._put(pims.Appointment(pims_id=self._next(), start=start, end=start + length, resources=columns))

    def staff_change(self, one: pims.Appointment, **changed: object) -> None:
        """Move, cancel or note an appointment."""
        self._put(msgspec.structs.replace(one, **changed))

    def staff_delete(self, one: pims.Appointment) -> None:
        """Take an appointment off the schedule without a trace."""
        del self._records["appointment", one.pims_id]
        self._log.append(pims.Gone(of="appointment", pims_id=one.pims_id))

    feeds: tuple[pims.Feed, ...] = (pims.Feed(name="all", kinds=("client", "patient", "appointment")),)
    asks: tuple[pims.DraftField, ...] = ()
    write_lag = timedelta()

    async def check(self) -> pims.Checked:
        """Say that all is well."""
        return pims.Checked(practice=pims.Practice(pims_id="tiny", name="Tiny", timezone="America/Phoenix"))

    async def changes(self, feed: str, cursor: str | None) -> pims.ChangePage:  # noqa: ARG002
        """Return the next few changes."""
        since = int(cursor or 0)
        until = since + PAGE
        return pims.ChangePage(
            changes=self._log[since:until],
            cursor=str(min(until, len(self._log))),
            more=until < len(self._log),
            as_of=datetime.now(UTC),
        )

    async def create_client(self, draft: pims.ClientDraft, key: str) -> str:
        """Create a client."""
        return self._make(
            pims.Client(
                pims_id=self._next(),
                given_name=draft.given_name,
                family_name=draft.family_name,
                phones=(draft.phone,) if draft.phone else (),
                emails=(draft.email,) if draft.email else (),
                marker=key,
            )
        )

    async def create_patient(self, draft: pims.PatientDraft, key: str) -> str:
        """Create a patient."""
        return self._make(pims.Patient(pims_id=self._next(), marker=key, **msgspec.structs.asdict(draft)))

    async def create_appointment(self, draft: pims.AppointmentDraft, key: str) -> str:
        """Put an appointment on the schedule."""
        told = {name: getattr(draft, name) for name in pims.Appointment.__struct_fields__ if hasattr(draft, name)}
        return self._make(pims.Appointment(pims_id=self._next(), marker=key, **told))

    async def find(self, kind: pims.Kind, key: str) -> str | None:
        """Find what carries a key."""
        for (kept_kind, pims_id), one in self._records.items():
            if kept_kind == kind and one.marker == key:
                return pims_id
        return None

    async def read(self, kind: pims.Kind, pims_id: str) -> Written | None:
        """Read a record back."""
        return self._records.get((kind, pims_id))

    async def change_appointment(self, pims_id: str, draft: pims.AppointmentDraft, key: str) -> None:  # noqa: ARG002
        """Move an appointment."""
        self._change(pims_id, start=draft.start, end=draft.end, resources=draft.resources)

    async def cancel_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002 - the contract's
        """Cancel an appointment."""
        self._change(pims_id, status="cancelled")

    async def confirm_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002 - the contract's
        """Mark an appointment confirmed."""
        self._change(pims_id, status="confirmed")

    async def close(self) -> None:
        """Let go of nothing."""

    def _next(self) -> str:
        self._ids += 1
        return f"tiny-{self._ids}"

    def _make(self, record: Written) -> str:
        self.made[record.marker or ""] += 1
        self._put(record)
        return record.pims_id

    def _change(self, pims_id: str, **changed: object) -> None:
        shown = self._records.get(("appointment", pims_id))
        if not isinstance(shown, pims.Appointment):
            raise pims.PimsRejected("There is no such appointment.")
        self._put(msgspec.structs.replace(shown, **changed))

    def _put(self, record: Written) -> None:
        self._records[KINDS[type(record)], record.pims_id] = record
        self._log.append(record)
