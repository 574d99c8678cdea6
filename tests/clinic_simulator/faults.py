"""Misbehavior on request, by name (the README says what each is and who it stands for).

Some happen to a call of the agent (`on`, `times`, `chance`, `skip`), some happen at once to a record or to the whole
system. Faults of the line to vetslot and of the agent itself are ordered by the same names in `tests/clinic.py`.
"""

from __future__ import annotations

from random import Random
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pims_adapters._agent.protocol import Table

CallFault = Literal[
    "refused",
    "reset_before_commit",
    "reset_after_commit",
    "answer_lost",
    "slow",
    "half_page",
    "duplicate_page",
    "out_of_order_times",
]
Happening = Literal[
    "hard_delete",
    "undelete",
    "client_merged",
    "provider_removed",
    "restore_from_yesterday",
    "id_reuse_after_restore",
    "clock_skew",
    "truncated_fields",
    "wrong_encoding",
    "read_only",
    "wrong_zone",
]
CALL_FAULTS: frozenset[str] = frozenset(CallFault.__args__)  # type: ignore[attr-defined]
READS = ("changes", "list")


class Order(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault. Which members mean something for which fault stands in the README."""

    fault: CallFault | Happening
    on: str = "any"
    times: int | None = 1
    chance: float = 1
    skip: int = 0
    seconds: float = 0.2
    lying: bool = False
    taken: bool = False
    table: Table | None = None
    id: str | None = None
    into: str | None = None
    hard: bool = False
    backup: str | None = None
    noticed: bool = False
    length: int = 20
    zone: str = "UTC"
    ends: bool = False
    rows: Annotated[int, Meta(ge=1)] = 5


class Faults:
    """The faults of calls that were ordered and not yet spent, first ordered first."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._ordered = 0
        self._orders: list[_Standing] = []

    def order(self, order: Order) -> None:
        self._ordered += 1
        self._orders.append(_Standing(order, f"{self._seed}:fault:{self._ordered}"))

    def reset(self) -> None:
        self._orders.clear()

    def pending(self) -> list[Order]:
        return [standing.order for standing in self._orders]

    def take(self, call: str) -> Order | None:
        """Spend one fault meant for this call."""
        for standing in self._orders:
            if standing.meets(call):
                if standing.spent():
                    self._orders.remove(standing)
                return standing.order
        return None


class _Standing:
    def __init__(self, order: Order, seed: str) -> None:
        self.order = order
        self._random = Random(seed)
        self._skip = order.skip
        self._left = order.times

    def meets(self, call: str) -> bool:
        order = self.order
        writes = call not in (*READS, "find", "read", "find_clients", "about", "find_conversation")
        meant = order.on in {call, "any"} or (order.on == "write" and writes) or (order.on == "ask" and not writes)
        if order.fault == "refused" and not writes:
            meant = False
        if order.fault in ("half_page", "duplicate_page", "out_of_order_times") and call not in READS:
            meant = False
        if order.fault == "duplicate_page" and call != "changes":
            meant = False
        if not meant:
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        return order.chance >= 1 or self._random.random() < order.chance

    def spent(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left <= 0
