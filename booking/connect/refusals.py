"""Why a step of connecting a PIMS cannot be taken."""

from __future__ import annotations


class ConnectionUnknown(Exception):
    """No PIMS is connected, nor asked for. Please begin by choosing one."""


class ConnectionBegun(Exception):
    """A PIMS is connected or asked for already. Please pause it and talk to us before another one takes its place."""


class SystemUnknown(Exception):
    """There is no adapter of this name. Please choose one of those that are listed."""


class TermsNotAccepted(Exception):
    """Please read and accept the present terms first."""


class StepOutOfOrder(Exception):
    """This step is not due as the connection stands. What is next is told in the connection itself."""


class SettingsRefused(Exception):
    """What was entered does not fit this PIMS. What is wrong is told field by field."""

    def __init__(self, wrong: dict[str, str]) -> None:
        """Carry what is wrong, setting by setting; it repeats nothing that was entered."""
        super().__init__(self.__doc__)
        self.members = {"errors": [{"path": path, "message": message} for path, message in wrong.items()]}
