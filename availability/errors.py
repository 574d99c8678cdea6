"""The one error of the package."""

from __future__ import annotations


class ProblemError(Exception):
    """The problem cannot stand; nothing is answered. `path` names the faulty field: `visits[0].steps[1].duration`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message
