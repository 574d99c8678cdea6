"""The adapter for the demo PIMS in `clinic/`, known to it by its HTTP interface only, as a vendor's would be."""

from pims_adapters.contract import PimsAdapter, Relay, Setting, System

# The demo PIMS lives below this package and starts in half the time without an HTTP client: hence the late imports.


def system() -> System:
    """Say what this folder is about."""
    from pims_adapters.demo.adapter import DemoAdapter  # noqa: PLC0415

    return System(
        name="demo PIMS (ours, in this repository)",
        speaks="REST",
        adapter=DemoAdapter,
        settings=(
            Setting(name="url", label="Address"),
            Setting(name="key", label="Key", secret=True),
            Setting(name="timeout_seconds", label="Seconds to wait for an answer", required=False),
        ),
    )


def connect(settings: dict[str, str], _relay: Relay | None) -> PimsAdapter:
    """Open a connection by the settings `url`, `key` and, if wished, `timeout_seconds`."""
    from pims_adapters.demo.adapter import DemoAdapter  # noqa: PLC0415
    from pims_adapters.demo.exchange import Exchange  # noqa: PLC0415

    return DemoAdapter(Exchange.of(settings))
