"""What lies below `/double/`: the practice's own people, and whoever breaks things on purpose."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any

from tests.pims_adapters.ezyvet.double import vendor
from tests.pims_adapters.ezyvet.double.faults import Faults, Order
from tests.pims_adapters.ezyvet.double.seed import appointment
from tests.pims_adapters.ezyvet.double.store import Store

MINUTE = 60
Json = Any


class Double:
    """One running double: the site, its tokens, its faults, and what was asked of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tokens = vendor.Tokens(store)
        self.faults = Faults()
        self.per_minute: int | None = None
        self.asked: list[str] = []
        self._turns: defaultdict[str, deque[float]] = defaultdict(deque)

    def left_of_minute(self, path: str) -> int | None:
        """Count a call; how many more the minute allows, below zero where it was one too many."""
        if self.per_minute is None:
            return None
        turns = self._turns[path]
        while turns and turns[0] <= monotonic() - MINUTE:
            turns.popleft()
        turns.append(monotonic())
        return self.per_minute - len(turns)


def _rows(double: Double, of: list[str], asked: Json) -> Json:
    """Show a table, or change a row of it and say that it changed."""
    table, *number = of
    return double.store.change(table, int(number[0]), **asked) if number else list(double.store.tables[table].values())


def _book(double: Double, _of: list[str], asked: Json) -> Json:
    start = datetime.fromisoformat(asked.pop("start"))
    return {"id": appointment(double.store, start, asked.pop("minutes"), **asked)}


def _merge(double: Double, _of: list[str], asked: Json) -> Json:
    """Join a contact into another, as staff do: the animals move, and what is left is inactive."""
    store = double.store
    for table in ("animal", "appointment"):
        for row in [one for one in store.tables[table].values() if one["contact_id"] == asked["contact"]]:
            store.change(table, row["id"], contact_id=asked["into"])
    return store.change("contact", asked["contact"], active=False)


def _site(double: Double, _of: list[str], asked: Json) -> Json:
    """Set `v4`, `refuses_overlaps`, `per_minute`, or drop the guides of a column."""
    double.per_minute = asked.pop("per_minute", double.per_minute)
    dropped = asked.pop("no_guides_of", None)
    double.store.guides = [one for one in double.store.guides if one.resource != dropped]
    for name, value in asked.items():
        setattr(double.store, name, value)
    return {}


def _refuse_filter(double: Double, of: list[str], asked: Json) -> Json:
    double.store.refused_filters = {(of[0], of[1])} if of else set()
    return asked


def _clock(double: Double, _of: list[str], asked: Json) -> Json:
    if "freeze" in asked:
        double.store.freeze(still=asked["freeze"])
    double.store.advance(asked.get("advance", 0))
    return {"now": double.store.now().isoformat()}


def _tokens(double: Double, _of: list[str], asked: Json) -> Json:
    double.tokens.seconds = asked.get("seconds", double.tokens.seconds)
    if asked.get("revoke"):
        double.tokens.revoke()
    return {"given": double.tokens.given}


def _faults(double: Double, _of: list[str], asked: Json) -> Json:
    double.faults.order(Order(**asked))
    return {}


def _calm(double: Double, _of: list[str], asked: Json) -> Json:
    double.faults.reset()
    return asked


def _asked(double: Double, _of: list[str], _body: Json) -> Json:
    told, double.asked = double.asked, []
    return told


ACTIONS: dict[str, Callable[[Double, list[str], Json], Json]] = {
    "rows": _rows,
    "add": lambda double, of, asked: double.store.add(of[0], **asked),
    "delete": lambda double, of, _asked: double.store.tables[of[0]].pop(int(of[1]), {}),
    "delete-after-first-page": lambda double, of, _asked: double.store.deletions.append((of[0], int(of[1]))),
    "appointments": _book,
    "merge": _merge,
    "site": _site,
    "refuse-filter": _refuse_filter,
    "clock": _clock,
    "tokens": _tokens,
    "faults": _faults,
    "calm": _calm,
    "asked": _asked,
}
