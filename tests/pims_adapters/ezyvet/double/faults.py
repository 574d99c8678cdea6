"""Misbehavior on request, by name."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Literal

FAULTS = (
    "refused",  # 422, nothing done
    "rate_limited",  # 429 with Retry-After, nothing done
    "rate_limited_until",  # 429 with x-ratelimit-reset as an instant, nothing done
    "unavailable",  # 503, nothing done
    "unauthorized",  # 401, nothing done
    "forbidden",  # 403, nothing done
    "redirect",  # 302, nothing done
    "reset_before",  # the connection drops, nothing done
    "answer_lost",  # done, then the connection drops
    "error_after",  # done, then 500
    "broken_answer",  # done, then half an answer
    "malformed_success",  # done, then 200 with something else in it
    "slow",  # done, then `seconds` pass before the answer
)
Kind = Literal["read", "write", "token"]


@dataclass
class Order:
    """One fault to come: at the next call of a kind, or to a path."""

    on: str
    fault: str
    times: int = 1
    seconds: float = 1.5


class Faults:
    """The faults ordered and not yet spent, first ordered first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._orders: list[Order] = []

    def order(self, order: Order) -> None:
        if order.fault not in FAULTS:
            raise ValueError(order.fault)
        with self._lock:
            self._orders.append(order)

    def reset(self) -> None:
        with self._lock:
            self._orders.clear()

    def take(self, kind: Kind, path: str) -> Order | None:
        """Spend one fault meant for this call."""
        with self._lock:
            order = next((one for one in self._orders if one.on in (kind, path)), None)
            if order is not None:
                order.times -= 1
                if order.times <= 0:
                    self._orders.remove(order)
            return order
