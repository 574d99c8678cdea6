"""What the agent asks of a PIMS. Whoever connects another system writes a `Source` for it and names it in `sources`.

A source raises the adapter contract's errors: `PimsUnavailable` (with `outcome_unknown` where a write may have
happened), `PimsRejected`, `PimsMisconfigured`, and `CursorExpired` where the PIMS no longer knows a cursor. Every call
has a time-out of its own. Rows are in the PIMS's own words; times are its wall-clock times.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Protocol

from msgspec import Struct

from pims_adapters._agent.protocol import (
    AnyRow,
    CreateAppointment,
    CreateClient,
    CreatePatient,
    ExportConversation,
    FindClients,
    SetStatus,
    Table,
)

Write = CreateClient | CreatePatient | CreateAppointment | SetStatus | ExportConversation


class About(Struct, frozen=True, kw_only=True):
    """What a PIMS says of itself. `write_lag`: how long what was written may take until `find` sees it."""

    system: str
    version: str
    practice: str
    practice_name: str
    timezone: str
    write_lag: timedelta = timedelta()


class Changes(Struct, frozen=True, kw_only=True):
    """Rows that changed after a cursor, oldest first. `age`: how old what they show is."""

    rows: tuple[AnyRow, ...]
    cursor: str
    more: bool
    age: timedelta = timedelta()


class Listed(Struct, frozen=True, kw_only=True):
    """Rows of a table, in the order of their identifiers; `next`: there are more, go on after this one."""

    rows: tuple[AnyRow, ...]
    next: str | None = None
    age: timedelta = timedelta()


class Source(Protocol):
    """One PIMS."""

    def now(self) -> datetime:
        """Return the time by this machine's clock, right or wrong: the PIMS and the agent share it."""

    async def about(self) -> About:
        """Return what the PIMS says of itself."""

    async def changes(self, tables: tuple[Table, ...], after: str | None, most: int) -> Changes:
        """Return what changed in these tables after a cursor; None begins at the beginning.

        A cursor is never used for two places: after a backup was restored they differ from those before it.
        """

    async def listing(self, table: Table, first: date, last: date, after: str | None, most: int) -> Listed:
        """Return every row of a table; of appointments and block-offs those that touch the local days."""

    async def find_clients(self, wanted: FindClients) -> tuple[AnyRow, ...]:
        """Return the clients that have a phone or an email."""

    async def find(self, table: Table, marker: str) -> str | None:
        """Return the record whose notes carry a marker, looking in the PIMS and in no copy of it."""

    async def find_conversation(self, marker: str) -> str | None:
        """Return the exported conversation that carries a marker."""

    async def read(self, table: Table, id_: str) -> AnyRow | None:
        """Return one record as it stands now."""

    async def write(self, call: str, body: Write) -> str | None:
        """Create or change a record; its identifier, or None where it is accepted and shows later."""

    async def close(self) -> None:
        """Let go of connections."""
