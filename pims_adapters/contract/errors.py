"""What can go wrong with a PIMS, whichever it is."""


class PimsError(Exception):
    """The PIMS could not do what was asked."""


class PimsUnavailable(PimsError):
    """The PIMS did not answer, answered that it cannot now, or answered what cannot be read. Try again later.

    `outcome_unknown`: a write had left when its answer failed to come, so it may have happened. Never set by a read.
    """

    def __init__(self, reason: str, *, outcome_unknown: bool) -> None:
        super().__init__(reason)
        self.outcome_unknown = outcome_unknown


class PimsRejected(PimsError):
    """The PIMS understood and refused; sending the same again would be refused again.

    `taken`: it refused because the time is no longer free there, so another time or resource may do.
    """

    def __init__(self, reason: str, *, taken: bool = False) -> None:
        super().__init__(reason)
        self.taken = taken


class PimsMisconfigured(PimsError):
    """Address or credentials are wrong; a person has to mend the connection."""


class CursorExpired(PimsError):
    """The PIMS no longer knows the cursor: start from the beginning."""
