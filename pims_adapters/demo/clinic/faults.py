"""Misbehavior on request, by name, so that tests can see how the other side takes it."""

from threading import Lock
from typing import Literal

from msgspec import Struct

Fault = Literal[
    "reset_before",  # the connection drops before anything is done
    "unavailable",  # 503, nothing done
    "rate_limited",  # 429 with Retry-After, nothing done
    "refuse",  # 409, nothing done
    "pretend",  # 200, nothing done
    "answer_lost",  # done, then the connection drops
    "slow_answer",  # done, then `seconds` pass before the answer
    "broken_answer",  # done, then an answer nobody can read
    "error_after",  # done, then 500
]


class Order(Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault to come: at which call (`any` is every call of the outside), which, and how many times."""

    on: str
    fault: Fault
    seconds: float = 10
    times: int = 1


class Faults:
    """The faults ordered and not yet spent, first ordered first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._orders: list[Order] = []

    def order(self, order: Order) -> None:
        with self._lock:
            self._orders.append(order)

    def reset(self) -> None:
        with self._lock:
            self._orders.clear()

    def pending(self) -> list[Order]:
        with self._lock:
            return list(self._orders)

    def take(self, call: str) -> Order | None:
        """Spend one fault meant for this call."""
        with self._lock:
            order = next((order for order in self._orders if order.on in {call, "any"}), None)
            if order is not None:
                order.times -= 1
                if order.times <= 0:
                    self._orders.remove(order)
            return order
