"""IDEXX Cornerstone, on the practice's own server: an agent beside it speaks for it. README.md has the facts."""

from datetime import timedelta

from pims_adapters._agent.adapter import PRACTICE, line_of
from pims_adapters.contract import PimsAdapter, Relay, Setting, System
from pims_adapters.cornerstone.adapter import CornerstoneAdapter

ACTING_STAFF = Setting(
    name="acting_staff",
    label="Acting staff ID",
    help="The Cornerstone staff member in whose name appointments, confirmations and notes are written.",
    required=False,
)


def system() -> System:
    """Say what this folder is about."""
    return System(
        name="IDEXX Cornerstone",
        speaks="agent",
        adapter=CornerstoneAdapter,
        agent=True,
        fresh_for=timedelta(minutes=45),
        third_party="The integrator whose agent runs on the Cornerstone server",
        settings=(
            PRACTICE,
            ACTING_STAFF,
        ),
    )


def connect(settings: dict[str, str], relay: Relay | None) -> PimsAdapter:
    """Open a connection by the settings `practice` and, if wished, `acting_staff`."""
    return CornerstoneAdapter(line_of(settings, relay, ACTING_STAFF), author=settings.get("acting_staff") or None)
