"""Covetrus AVImark, on the practice's own server: an agent beside it speaks for it. README.md has the facts."""

from datetime import timedelta

from pims_adapters._agent.adapter import PRACTICE, line_of
from pims_adapters.avimark.adapter import AvimarkAdapter
from pims_adapters.contract import PimsAdapter, Relay, Setting, System

DEFAULT_EXPORTER = Setting(
    name="default_exporter",
    label="Default exporter",
    help="The AVImark user who is the author of exported conversations, and of what else is written.",
    required=False,
)


def system() -> System:
    """Say what this folder is about."""
    return System(
        name="Covetrus AVImark",
        speaks="agent",
        adapter=AvimarkAdapter,
        agent=True,
        fresh_for=timedelta(minutes=10),
        third_party="The integrator whose agent runs on the AVImark server",
        settings=(
            PRACTICE,
            DEFAULT_EXPORTER,
        ),
    )


def connect(settings: dict[str, str], relay: Relay | None) -> PimsAdapter:
    """Open a connection by the settings `practice` and, once conversations are exported, `default_exporter`."""
    return AvimarkAdapter(line_of(settings, relay, DEFAULT_EXPORTER), author=settings.get("default_exporter") or None)
