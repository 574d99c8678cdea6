"""The double's tables, its clock, and ezyVet's way to filter, page and show rows."""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
NEW_YORK = ZoneInfo("America/New_York")

TABLES = (
    "contact",
    "contactdetail",
    "animal",
    "species",
    "breed",
    "sex",
    "appointmentstatus",
    "appointmenttype",
    "resource",
    "appointment",
)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
UID_WORDS = {"appointmenttype": "appointmentType", "contactdetail": "contactDetail"}
DEFAULT_LIMIT, MOST = 10, 200


class Refusal(Exception):
    """An answer from 400 on."""

    def __init__(self, status: int, type_: str, text: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.type = type_
        self.text = text
        self.fields = fields


@dataclass
class Guide:
    """A planning guide: which types a column takes on a weekday between two minutes of the day."""

    resource: int
    weekday: int
    opens: int
    closes: int
    types: list[int]


@dataclass
class Store:
    """One ezyVet site. `lock` is held by whoever reads or writes it."""

    started_at: datetime
    zone: ZoneInfo = NEW_YORK
    site_uid: str = "site_Willow0000000000000001"
    lock: RLock = field(default_factory=RLock)
    tables: dict[str, dict[int, Row]] = field(default_factory=lambda: {name: {} for name in TABLES})
    guides: list[Guide] = field(default_factory=list)
    refused_filters: set[tuple[str, str]] = field(default_factory=set)
    deletions: list[tuple[str, int]] = field(default_factory=list)
    """Rows that vanish after the next first page of their list was shown."""
    minutes_of_appointments: bool = False
    refuses_overlaps: bool = False
    v4: bool = True
    frozen: datetime | None = None
    _began: float = field(default_factory=monotonic)
    _ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """Return the time by the double's own clock."""
        if self.frozen is not None:
            return self.frozen
        return self.started_at + timedelta(seconds=monotonic() - self._began) + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
        if self.frozen is not None:
            self.frozen += timedelta(seconds=seconds)

    def freeze(self, *, still: bool) -> None:
        self.frozen = self.now() if still else None

    def epoch(self) -> int:
        return int(self.now().timestamp())

    def add(self, table: str, *, at: int | None = None, **values: object) -> Row:
        """Add a row; `at` is when it was made, now unless told."""
        number = max(self.tables[table], default=0) + 1
        made = self.epoch() if at is None else at
        row = {"id": number, "uid": uid_of(table, number), "active": True, "created_at": made, "modified_at": made}
        self.tables[table][number] = row | values
        return self.tables[table][number]

    def change(self, table: str, number: int, **values: object) -> Row:
        row = self.row(table, number)
        row.update(values)
        row.setdefault("modified_at", 0)
        if "modified_at" not in values:
            row["modified_at"] = self.epoch()
        return row

    def row(self, table: str, number: int) -> Row:
        try:
            return self.tables[table][number]
        except KeyError:
            raise Refusal(404, "NotFoundException", f"No {table} {number}.") from None

    def by_uid(self, table: str, uid: object) -> Row:
        found = next((row for row in self.tables[table].values() if row["uid"] == uid), None)
        if found is None:
            raise Refusal(422, "InvalidParameterException", f"There is no {table} {uid}.", (table,))
        return found

    def listed(self, version: str, table: str, query: dict[str, str]) -> dict[str, Any]:
        """Answer a question for a list."""
        limit, page = _whole(query, "limit", DEFAULT_LIMIT), _whole(query, "page", 1)
        if not 1 <= limit <= MOST or page < 1:
            raise Refusal(400, "InvalidParameterException", "limit is from 1 to 200, page from 1.", ("limit", "page"))
        rows = [self.tables[table][number] for number in sorted(self.tables[table])]
        for name, value in query.items():
            if name in ("limit", "page"):
                continue
            known = any(name in row for row in rows)
            if (table, name) in self.refused_filters or (rows and not known):
                raise Refusal(400, "InvalidParameterException", f"{name} cannot be filtered.", (name,))
            fits = _filter(value)
            rows = [row for row in rows if fits(row.get(name))]
        shown = rows[(page - 1) * limit : page * limit]
        meta = {
            "timestamp": self.epoch(),
            "items_total": len(rows),
            "items_page": page,
            "items_page_total": -(-len(rows) // limit),
            "items_page_size": len(shown),
        }
        answer = {
            "meta": as_v1(meta) if version == "v1" else meta,
            "messages": [],
            "items": [{table: as_v1(row) if version == "v1" else dict(row)} for row in shown],
        }
        if page == 1:
            for each in [one for one in self.deletions if one[0] == table]:
                self.tables[table].pop(each[1], None)
                self.deletions.remove(each)
        return answer


def uid_of(table: str, number: int) -> str:
    """Return an identifier as ezyVet's look: the kind, and 21 letters and digits."""
    seed = int.from_bytes(hashlib.blake2b(f"{table} {number}".encode(), digest_size=24).digest())
    letters = []
    for _ in range(21):
        seed, at = divmod(seed, len(ALPHABET))
        letters.append(ALPHABET[at])
    return f"{UID_WORDS.get(table, table)}_{''.join(letters)}"


def as_v1(row: Row) -> Row:
    """Write a row as version 1 does: numbers and truths as text, nothing as an empty one."""
    return {name: _text(value) for name, value in row.items()}


def _text(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case int():
            return str(value)
        case _:
            return value


def _whole(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise Refusal(400, "InvalidParameterException", f"{name} is a number.", (name,)) from None


def _filter(asked: str) -> Callable[[object], bool]:
    """Read a filter: a plain value is for equality, JSON names comparisons, all of which must hold."""
    try:
        comparisons = json.loads(asked)
    except ValueError:
        comparisons = asked
    if not isinstance(comparisons, dict):
        return lambda value: _equal(value, asked)
    tests = [_comparison(name, other) for name, other in comparisons.items()]
    return lambda value: all(test(value) for test in tests)


def _comparison(name: str, other: Any) -> Callable[[object], bool]:  # noqa: ANN401 - JSON
    match name:
        case "eq":
            return lambda value: _equal(value, other)
        case "neq":
            return lambda value: not _equal(value, other)
        case "in":
            among = {str(one) for one in other}
            return lambda value: str("" if value is None else value) in among
        case "like":
            pattern = re.compile(".*".join(re.escape(part) for part in str(other).split("%")), re.DOTALL)
            return lambda value: pattern.fullmatch(str(value or "")) is not None
        case "gt" | "gte" | "lt" | "lte":
            compare, limit = getattr(operator, name.replace("te", "e")), float(other)
            return lambda value: bool(compare(float(str(value or 0)), limit))
        case _:
            raise Refusal(400, "InvalidParameterException", f"There is no comparator {name}.")


def _equal(value: object, asked: object) -> bool:
    if isinstance(value, bool):
        return value == (str(asked).casefold() in ("1", "true"))
    return str("" if value is None else value) == str(asked)


def at_local(store: Store, day: datetime, minutes: int) -> datetime:
    """Return the instant at which the wall clock shows so many minutes after midnight."""
    return (datetime(day.year, day.month, day.day, tzinfo=store.zone) + timedelta(minutes=minutes)).astimezone(UTC)
