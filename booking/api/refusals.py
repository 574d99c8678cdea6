"""What only a route can refuse: requests that name nothing, ask too much, or come too late."""

from __future__ import annotations

from collections.abc import Sequence


class NotFound(Exception):
    """There is nothing here, or nothing for you. Check the address and what you signed in with."""


class DaysRefused(Exception):
    """Ask for 1 to 62 days of our time, the first one first."""


class WishUnclear(Exception):
    """Send a slotToken, or an appointmentType and a start with its time zone."""


class StartUnclear(Exception):
    """Send a start in whole minutes with its time zone, between yesterday and 400 days from now."""


class ClientUnclear(Exception):
    """Send either the client, one of the session's accounts, or the details of a new client."""


class HoldNotExtended(Exception):
    """This hold was extended before, or has ended. Please book soon, or choose a time again."""


class SlotIsTaken(Exception):
    """Somebody was faster. The times in `alternatives` are still free."""

    def __init__(self, alternatives: Sequence[object]) -> None:
        """Name the nearest times that can still be had."""
        super().__init__(SlotIsTaken.__doc__)
        self.members = {"alternatives": alternatives}


class NotProven(Exception):
    """Please prove your phone number or email address first: ask for a code."""

    headers = {"www-authenticate": "Bearer"}  # noqa: RUF012 - nobody changes it


class CodeWrong(Exception):
    """That is not the code. Please check it and try again."""

    def __init__(self, tries_left: int) -> None:
        """Say how often it may be tried again."""
        super().__init__(CodeWrong.__doc__)
        self.members = {"tries_left": tries_left}


class CodeNoLongerWorks(Exception):
    """This code no longer works. Please ask for a new one."""


class WorkRequired(Exception):
    """Very much is asked for at the moment. Solve the challenge and send the same with its solution as `altcha`."""

    def __init__(self, challenge: object) -> None:
        """Give the challenge to solve."""
        super().__init__(WorkRequired.__doc__)
        self.members = {"challenge": challenge}
