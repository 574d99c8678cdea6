"""The demo PIMS's records in one SQLite file, and the order in which they changed.

Every record is a JSON document with the sequence number of its last change; asking for what changed since a number
gives each record once, as it is now. A deleted record stays as a tombstone until the log is forgotten.
"""

import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import msgspec

from pims_adapters.demo.clinic.records import KINDS, AnyRecord, Appointment, Deleted, Record

SCHEMA = """
create table if not exists fact (name text primary key, value text not null);
create table if not exists record (
    kind text not null,
    id text not null,
    sequence integer not null unique,
    deleted integer not null default 0,
    external_key text,
    starts text,
    ends text,
    body blob not null,
    primary key (kind, id)
);
create index if not exists record_by_external_key on record (kind, external_key) where external_key is not null;
create index if not exists appointment_by_start on record (starts) where starts is not null;
"""
PREFIXES = {"clients": "client", "patients": "pat", "appointments": "appt", "blocks": "block"}
NAMES: dict[type[Record], str] = {type_: name for name, type_ in KINDS.items()}
FIRST_OWN_ID = 10_000
"""Above whatever the seed used, so that no id comes twice, even after a deletion."""
FAR_APART = 86400
"""No appointment is longer than this many seconds; it bounds the look for those that overlap a time."""

T = TypeVar("T", bound=AnyRecord)


class CursorForgotten(Exception):
    """The change log no longer reaches back to that cursor."""


class Store:
    """One connection under one lock: a practice system of this size serves one question at a time."""

    def __init__(self, path: Path | None) -> None:
        self.lock = RLock()
        self._db = sqlite3.connect(str(path) if path else ":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + SCHEMA)

    def close(self) -> None:
        with self.lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock, and keep all that is written inside or nothing."""
        with self.lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    @property
    def seeded(self) -> bool:
        return self._fact("epoch") is not None

    def fill(self, records: Iterable[AnyRecord]) -> None:
        """Take the first records; from now on cursors of any earlier file are unknown."""
        with self.transaction():
            self._begin_log()
            for record in records:
                self._put(record)

    def put(self, record: AnyRecord) -> None:
        """Create or replace a record as the latest change."""
        with self.transaction():
            self._put(record)

    def _put(self, record: AnyRecord) -> None:
        starts, ends = (_text(record.start), _text(record.end)) if isinstance(record, Appointment) else (None, None)
        self._db.execute(
            "insert or replace into record (kind, id, sequence, external_key, starts, ends, body)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (
                NAMES[type(record)],
                record.id,
                self._count("sequence"),
                getattr(record, "external_key", None),
                starts,
                ends,
                msgspec.json.encode(record),
            ),
        )

    def delete(self, kind: str, id_: str) -> None:
        """Leave a tombstone where the record was."""
        tombstone = msgspec.json.encode(Deleted(what=KINDS[kind].__name__.lower(), id=id_))
        with self.transaction():
            self._db.execute(
                "update record set sequence = ?, deleted = 1, external_key = null, starts = null, ends = null, body = ?"
                " where kind = ? and id = ?",
                (self._count("sequence"), tombstone, kind, id_),
            )

    def new_id(self, kind: str) -> str:
        """Return an id no record of this kind has had."""
        with self.transaction():
            return f"{PREFIXES[kind]}-{FIRST_OWN_ID + self._count(kind)}"

    def get(self, type_: type[T], id_: str) -> T | None:
        rows = self._rows("select body from record where kind = ? and id = ? and not deleted", NAMES[type_], id_)
        return msgspec.json.decode(rows[0][0], type=type_) if rows else None

    def all(self, type_: type[T]) -> list[T]:
        rows = self._rows("select body from record where kind = ? and not deleted order by sequence", NAMES[type_])
        return [msgspec.json.decode(row[0], type=type_) for row in rows]

    def with_key(self, type_: type[T], external_key: str) -> list[T]:
        rows = self._rows(
            "select body from record where kind = ? and external_key = ? and not deleted order by sequence",
            NAMES[type_],
            external_key,
        )
        return [msgspec.json.decode(row[0], type=type_) for row in rows]

    def appointments(self, start: datetime, end: datetime) -> list[Appointment]:
        """Return the appointments that overlap `[start, end)`, whatever their state."""
        earliest = datetime.fromtimestamp(start.timestamp() - FAR_APART, UTC)
        rows = self._rows(
            "select body from record where starts > ? and starts < ? and ends > ? and not deleted order by starts, id",
            _text(earliest),
            _text(end),
            _text(start),
        )
        return [msgspec.json.decode(row[0], type=Appointment) for row in rows]

    def changes(self, cursor: str | None, limit: int) -> tuple[list[msgspec.Raw], str, bool]:
        """Return what changed since the cursor, the cursor after it, and whether there is more."""
        with self.lock:
            epoch = self._fact("epoch")
            since = 0
            if cursor is not None:
                known, _, number = cursor.partition(".")
                since = int(number) if re.fullmatch(r"[0-9]{1,15}", number) else -1
                if known != epoch or not 0 <= since <= self._number("sequence"):
                    raise CursorForgotten
            rows = self._rows(
                "select sequence, body from record where sequence > ? order by sequence limit ?", since, limit + 1
            )
        page = rows[:limit]
        return [msgspec.Raw(row[1]) for row in page], f"{epoch}.{page[-1][0] if page else since}", len(rows) > limit

    def forget_changes(self) -> None:
        """Drop the tombstones; cursors from before no longer work."""
        with self.transaction():
            self._db.execute("delete from record where deleted")
            self._begin_log()

    def _begin_log(self) -> None:
        self._set_fact("epoch", secrets.token_hex(4))

    def _count(self, name: str) -> int:
        number = self._number(name) + 1
        self._set_fact(name, str(number))
        return number

    def _number(self, name: str) -> int:
        return int(self._fact(name) or 0)

    def _fact(self, name: str) -> str | None:
        rows = self._rows("select value from fact where name = ?", name)
        return str(rows[0][0]) if rows else None

    def _set_fact(self, name: str, value: str) -> None:
        self._db.execute("insert or replace into fact values (?, ?)", (name, value))

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        with self.lock:
            return self._db.execute(sql, parameters).fetchall()


def _text(instant: datetime) -> str:
    """Return an instant as text that sorts as time does."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
