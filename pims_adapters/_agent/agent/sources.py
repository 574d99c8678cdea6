"""The sources by name. Whoever writes one for another system adds a line here; nothing else has to know it."""

from __future__ import annotations

from collections.abc import Callable

from pims_adapters._agent.agent.simulator import SimulatorSource
from pims_adapters._agent.agent.source import Source
from pims_adapters.contract import PimsMisconfigured

SOURCES: dict[str, Callable[[str], Source]] = {"simulator": SimulatorSource}
"""Each is opened with an address: what stands behind the colon of `--source NAME:ADDRESS`."""


def open_source(named: str) -> Source:
    """Open the source `NAME:ADDRESS`. Raises `PimsMisconfigured` where there is none of this name."""
    name, _, address = named.partition(":")
    if name not in SOURCES or not address:
        raise PimsMisconfigured(f"A source is NAME:ADDRESS with a name out of {sorted(SOURCES)}, unlike {named!r}.")
    return SOURCES[name](address)
