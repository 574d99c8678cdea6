"""How long to wait before something is tried again: longer each time, never twice the same, never for very long."""

from __future__ import annotations

from datetime import timedelta
from random import Random

FIRST = timedelta(seconds=0.5)
LONGEST = timedelta(minutes=2)


class Patience:
    """The pauses between tries of one thing."""

    def __init__(self, random: Random | None = None, *, first: timedelta = FIRST, longest: timedelta = LONGEST) -> None:
        self._random = random or Random()  # noqa: S311 - spreads agents, guards nothing
        self._first = first
        self._longest = longest
        self._failed = 0

    def pause(self, at_least: timedelta | None = None) -> float:
        """Return the seconds until the next try: between half and all of what doubles each time."""
        doubled = min(self._first * (1 << min(self._failed, 20)), self._longest)
        self._failed += 1
        drawn = doubled * self._random.uniform(0.5, 1)
        return max(drawn, at_least or drawn).total_seconds()

    def rest(self) -> None:
        """It worked: begin with short pauses again."""
        self._failed = 0
