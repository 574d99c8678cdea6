"""The adapter for the demo PIMS in `clinic/`, known to it by its HTTP interface only, as a vendor's would be."""

from pims_adapters.contract import PimsAdapter
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.exchange import Exchange


def connect(settings: dict[str, str]) -> PimsAdapter:
    """Open a connection by the settings `url`, `key` and, if wished, `timeout_seconds`."""
    return DemoAdapter(Exchange.of(settings))
