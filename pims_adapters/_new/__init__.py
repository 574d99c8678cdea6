"""The adapter for NewPims, which speaks a made-up interface until it is taught the real one."""

from pims_adapters._new.adapter import NewPimsAdapter
from pims_adapters._new.exchange import Exchange
from pims_adapters.contract import PimsAdapter, Relay, Setting, System


def system() -> System:
    """Say what this folder is about."""
    return System(
        name="NewPims",
        speaks="REST",
        adapter=NewPimsAdapter,
        settings=(
            Setting(name="url", label="Address"),
            Setting(name="key", label="Key", secret=True),
            Setting(name="timeout_seconds", label="Seconds to wait for an answer", required=False),
        ),
    )


def connect(settings: dict[str, str], _relay: Relay | None) -> PimsAdapter:
    """Open a connection by the settings that `system` names."""
    return NewPimsAdapter(Exchange.of(settings))
