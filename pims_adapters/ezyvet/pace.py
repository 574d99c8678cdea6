"""How often ezyVet may be asked: so many calls in any minute, to one endpoint and in all.

A caller whose turn is near waits for it; one whose turn is far is told so at once, and nothing is sent. What ezyVet
says of its own count (429) closes an endpoint until the time it names.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque

from pims_adapters.contract import PimsUnavailable

MINUTE = 60.0
BRIEFLY = 3.0
LONGEST_PAUSE = 300.0
AVAILABILITY = 300
"""Calls a minute to the availability endpoints, which have a limit of their own and count toward no other."""


class Pace:
    """The calls of the last minute. Its clock is the event loop's, so it knows nothing of the time of day."""

    def __init__(self, *, per_endpoint: int, overall: int) -> None:
        self._per_endpoint = per_endpoint
        self._overall = overall
        self._turns: defaultdict[str, deque[float]] = defaultdict(deque)
        self._closed_until: dict[str, float] = {}

    async def turn(self, endpoint: str, *, by: float, unknown: bool) -> None:
        """Wait until the endpoint may be asked, or raise `PimsUnavailable` where that is not soon."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        counts = self._counts(endpoint)
        at = max([now, self._closed_until.get(endpoint, now), *(self._next(name, most, now) for name, most in counts)])
        if at - now > BRIEFLY or at > by:
            raise PimsUnavailable(
                f"ezyVet may be asked again in {at - now:.0f} seconds: its limit of calls is reached.",
                outcome_unknown=unknown,
            )
        for name, _ in counts:
            self._turns[name].append(at)
        if at > now:
            await asyncio.sleep(at - now)

    def close(self, endpoint: str, seconds: float) -> None:
        """Let nobody ask the endpoint for so long."""
        pause = min(max(seconds, 0.0), LONGEST_PAUSE)
        self._closed_until[endpoint] = asyncio.get_running_loop().time() + pause

    def _counts(self, endpoint: str) -> tuple[tuple[str, int], ...]:
        if endpoint.endswith("/availability"):
            return ((endpoint, AVAILABILITY),)
        return ((endpoint, self._per_endpoint), ("", self._overall))

    def _next(self, name: str, most: int, now: float) -> float:
        turns = self._turns[name]
        while turns and turns[0] <= now - MINUTE:
            turns.popleft()
        return turns[-most] + MINUTE if len(turns) >= most else now
