"""The line to an agent beside an on-premises PIMS. `booking` keeps it; adapters that speak through an agent use it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct


class Relay(Protocol):
    """The line to an agent beside an on-premises PIMS, which only ever connects outward: to us.

    What the agent has pushed lies here until it was read; what is asked of it waits here until it fetches it.
    """

    async def page(self, feed: str, cursor: str | None) -> RelayedPage:
        """Return the page that follows a cursor.

        Raises `CursorExpired`, and `PimsUnavailable` before the first page.
        """

    async def ask(self, call: str, body: bytes, *, key: str | None = None) -> bytes:
        """Have the agent do something and return its answer (JSON in, JSON out); under a key at most once.

        Raises the contract's errors: what the agent answers, `PimsUnavailable` where it does not come or answer in time
        (`outcome_unknown` once it has fetched a call that writes), and `PimsMisconfigured` where no agent was set up.
        """

    async def settle(self, call: str, key: str, *, lag: timedelta) -> None:
        """Hear that the PIMS was just asked and has nothing that carries a key.

        What the agent fetched under it `lag` or longer ago did not happen, then: it may be asked for once more.
        """

    async def agent(self) -> AgentSeen | None:
        """Return what the agent last said of itself; None before it first came."""


class RelayedPage(Struct, frozen=True, kw_only=True):
    """A pushed page: `rows` is JSON as the agent sent it. Without rows: nothing is new, as of `as_of` by our clock."""

    rows: bytes
    cursor: str
    more: bool
    as_of: datetime


class AgentSeen(Struct, frozen=True, kw_only=True):
    """What an agent says of itself and its PIMS. `skew`: how far its clock is ahead of ours."""

    at: datetime
    skew: timedelta
    practice_pims_id: str
    practice_name: str
    timezone: str
    version: str
