"""The records of the simulated PIMS, the log of their changes, and what the agent can see of both yet.

Everything is in memory. Staff see every change at once; the agent sees the log as it was `read_lag` ago, and what the
agent wrote comes to stand in the PIMS when its write lag has passed. The clock moves only when told.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from pims_adapters._agent.protocol import AnyRow, Appointment, Block, Gone, Instant, Merged, Table
from tests.clinic_simulator.dialects import Dialect
from tests.clinic_simulator.index import Index

SETTLED = timedelta(days=1)

Records = dict[str, dict[str, AnyRow]]


class Refused(Exception):
    """The request cannot stand; status, code and reason go back."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


class Entry(Struct, frozen=True):
    """One line of the change log: what a record became; `told` False where the agent gets no word of it."""

    sequence: int
    at: datetime
    table: Table
    id: str
    row: AnyRow
    told: bool = True


class Document(Struct, frozen=True, kw_only=True):
    """A text kept with a client's or patient's records."""

    id: str
    client: str
    patient: str | None
    title: str
    text: str
    author: str


class Pending(Struct, frozen=True, order=True):
    """Something the agent wrote that the PIMS has accepted and shows when it is due."""

    due: datetime
    number: int
    call: str
    body: bytes


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the simulated PIMS behaves without any fault. Lags are in seconds."""

    read_lag: float = 0
    write_lag: tuple[float, float] = (0, 0)
    writes: tuple[str, ...] = ()
    refuses_taken: bool = False
    longest_notes: int | None = None
    longest_name: int | None = None
    read_only: bool = False
    skew: float = 0
    said_zone: str | None = None
    encoding: str = "utf-8"


class Backup(Struct, frozen=True):
    """Everything that a restored backup brings back."""

    records: Records
    deleted: dict[tuple[str, str], AnyRow]
    documents: dict[str, Document]
    counters: dict[str, int]
    lengths: dict[str, int]


class Store:
    """One simulated PIMS."""

    def __init__(self, dialect: Dialect, *, seed: int, now: datetime, zone: str, practice: str, name: str) -> None:
        self.dialect = dialect
        self.seed = seed
        self.now = now
        self.zone = ZoneInfo(zone)
        self.practice = practice
        self.name = name
        self.settings = Settings(writes=tuple(sorted(dialect.writes)))
        self.records: Records = defaultdict(dict)
        self.seen: Records = defaultdict(dict)
        self.deleted: dict[tuple[str, str], AnyRow] = {}
        self.documents: dict[str, Document] = {}
        self.counters: dict[str, int] = {}
        self.pending: list[Pending] = []
        self.backups: dict[str, Backup] = {}
        self.logs: dict[str, list[Entry]] = defaultdict(list)
        self.era = 0
        self.sequence = 0
        self.trace: list[bytes] = []
        self._writes = 0
        self._unseen: list[Entry] = []
        self._indexes: dict[str, Index] = defaultdict(Index)

    # The clock

    @property
    def local_now(self) -> datetime:
        return self.now.astimezone(self.zone).replace(tzinfo=None)

    @property
    def visible_until(self) -> datetime:
        """Up to when the agent sees the log."""
        return self.now - timedelta(seconds=self.settings.read_lag)

    def random(self, purpose: str, number: int) -> Random:
        """Return chance for one purpose: what else happened in between changes nothing."""
        return Random(f"{self.seed}:{purpose}:{number}")

    # Records

    def get(self, table: str, id_: str) -> AnyRow | None:
        return self.records[table].get(id_)

    def new_id(self, table: str) -> str:
        number = self.counters.get(table, self.dialect.first_ids.get(table, 1) - 1) + 1
        self.counters[table] = number
        return str(number)

    def put(self, table: Table, row: AnyRow, *, told: bool = True) -> None:
        """Let a record stand so; one like it already leaves no trace in the log."""
        if isinstance(row, Gone | Merged):
            raise TypeError("Gone and Merged are no records.")
        row = self._cut(row)
        before = self.records[table].get(row.id)
        if before != row:
            if before is not None:
                self._indexes[table].remove(before)
            self.records[table][row.id] = row
            self._indexes[table].add(row)
            self._log(table, row.id, row, told=told)

    def remove(self, table: Table, id_: str, *, told: bool, into: str | None = None) -> None:
        """Take a record away: with a word in the log, as merged into another, or silently."""
        row = self.records[table].pop(id_)
        self.deleted[table, id_] = row
        self._indexes[table].remove(row)
        if into is not None and table in ("client", "patient"):
            self._log(table, id_, Merged(of="client" if table == "client" else "patient", id=id_, into=into), told=True)
        else:
            self._log(table, id_, Gone(of=table, id=id_), told=told)

    def index(self, table: str) -> Index:
        return self._indexes[table]

    def rows(self, table: str) -> list[AnyRow]:
        return list(self.records[table].values())

    def _cut(self, row: AnyRow) -> AnyRow:
        """Shorten what this PIMS has no room for."""
        cut: dict[str, Any] = {}
        for name in ("notes", "name", "first_name", "last_name"):
            longest = self.settings.longest_notes if name == "notes" else self.settings.longest_name
            value = getattr(row, name, None)
            if longest is not None and isinstance(value, str) and len(value) > longest:
                cut[name] = value[:longest]
        return msgspec.structs.replace(row, **cut) if cut else row

    def _log(self, table: Table, id_: str, row: AnyRow, *, told: bool) -> None:
        self.sequence += 1
        entry = Entry(self.sequence, self.now, table, id_, row, told)
        self._unseen.append(entry)
        if told:
            self.logs[table].append(entry)

    # What the agent sees

    def show_all(self) -> None:
        """Let the agent see everything as it stands, as if it had always stood so."""
        for log in self.logs.values():
            log[:] = [msgspec.structs.replace(entry, at=self.now - SETTLED) for entry in log]
        self._unseen = [msgspec.structs.replace(entry, at=self.now - SETTLED) for entry in self._unseen]
        self.catch_up()

    def catch_up(self) -> None:
        """Let the agent see what has become old enough to be seen."""
        until = self.visible_until
        shown = 0
        for entry in self._unseen:
            if entry.at > until:
                break
            if isinstance(entry.row, Gone | Merged):
                self.seen[entry.table].pop(entry.id, None)
            else:
                self.seen[entry.table][entry.id] = entry.row
            shown += 1
        del self._unseen[:shown]

    def changes(self, tables: list[str], after: int, most: int) -> tuple[list[Entry], bool]:
        """Return what the log tells of these tables after a sequence number, as far as the agent sees it."""
        until = self.visible_until
        logs = []
        for table in tables:
            log = self.logs[table]
            begin = bisect_right(log, after, key=lambda entry: entry.sequence)
            end = bisect_right(log, until, lo=begin, key=lambda entry: entry.at)
            logs.append(log[begin : min(end, begin + most + 1)])
        found = list(heapq.merge(*logs, key=lambda entry: entry.sequence))
        return found[:most], len(found) > most

    # What the agent writes

    def write_lag(self) -> float:
        """Return how long the next write takes to show."""
        self._writes += 1
        low, high = self.settings.write_lag
        return self.random("write lag", self._writes).uniform(low, high) if high > 0 else 0

    def wait_for(self, seconds: float, call: str, body: bytes) -> None:
        heapq.heappush(self.pending, Pending(self.now + timedelta(seconds=seconds), self._writes, call, body))

    # Backups

    def back_up(self, name: str) -> None:
        """Keep everything as it stands under a name."""
        self.backups[name] = Backup(
            {table: dict(rows) for table, rows in self.records.items()},
            dict(self.deleted),
            dict(self.documents),
            dict(self.counters),
            {table: len(log) for table, log in self.logs.items()},
        )

    def restore(self, name: str, *, reuse_ids: bool, noticed: bool) -> None:
        """Bring a backup back. What came after it is gone without a word, accepted writes included.

        `reuse_ids`: the next records get the identifiers of those that were lost. `noticed`: a cursor from before is
        no longer known; else it goes on as if nothing had happened.
        """
        backup = self.backups.get(name)
        if backup is None:
            raise Refused(404, "no_such_backup", f"There is no backup {name!r}; there are {sorted(self.backups)}.")
        self.records = defaultdict(dict, {table: dict(rows) for table, rows in backup.records.items()})
        self.deleted = dict(backup.deleted)
        self.documents = dict(backup.documents)
        if reuse_ids:
            self.counters = dict(backup.counters)
        for table, log in self.logs.items():
            del log[backup.lengths.get(table, 0) :]
        self._indexes.clear()
        for table, rows in self.records.items():
            for row in rows.values():
                self._indexes[table].add(row)
        self.pending.clear()
        self._unseen.clear()
        self.seen = defaultdict(dict, {table: dict(rows) for table, rows in backup.records.items()})
        self.era += noticed

    # The trace

    def note(self, face: str, act: str, told: object, outcome: str) -> None:
        """Write down what happened: one line of JSON."""
        line = {"at": self.now, "face": face, "act": act, "told": told, "outcome": outcome}
        self.trace.append(msgspec.json.encode(line))


class Advance(Struct, kw_only=True, forbid_unknown_fields=True):
    """Move the clock on by seconds, or to an instant."""

    seconds: float | None = None
    to: Instant | None = None


def local_span(row: Appointment | Block) -> tuple[datetime, datetime]:
    """Return when an entry of the schedule begins and ends, in wall-clock time."""
    return row.starts, row.starts + timedelta(minutes=row.minutes)
