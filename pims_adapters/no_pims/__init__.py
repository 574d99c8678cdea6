"""A practice without a PIMS: our schedule is the truth, so nothing is read and nothing is written."""

from pims_adapters.contract import PimsAdapter, Relay, Setting, System
from pims_adapters.no_pims.adapter import NoPims


def system() -> System:
    """Say what this folder is about."""
    return System(
        name="no PIMS",
        speaks="nothing: our schedule is the truth",
        adapter=NoPims,
        settings=(
            Setting(name="name", label="The practice's name"),
            Setting(name="timezone", label="Time zone", help="As in America/New_York."),
        ),
    )


def connect(settings: dict[str, str], _relay: Relay | None) -> PimsAdapter:
    """Open what leads nowhere, by the settings `name` and `timezone`."""
    return NoPims.of(settings)
