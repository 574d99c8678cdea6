"""The adapter for the demo PIMS in `clinic/`, known to it by its HTTP interface only, as a vendor's would be."""

from pims_adapters.contract import PimsAdapter


def connect(settings: dict[str, str]) -> PimsAdapter:
    """Open a connection by the settings `url`, `key` and, if wished, `timeout_seconds`."""
    # The demo PIMS lives below this package and starts in half the time without an HTTP client.
    from pims_adapters.demo.adapter import DemoAdapter  # noqa: PLC0415
    from pims_adapters.demo.exchange import Exchange  # noqa: PLC0415

    return DemoAdapter(Exchange.of(settings))
