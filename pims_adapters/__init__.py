"""Adapters to practice information management systems, one folder each; `contract` says what they have in common."""

from importlib import import_module, util

from pims_adapters.contract import PimsAdapter, PimsMisconfigured


def open_adapter(name: str, settings: dict[str, str]) -> PimsAdapter:
    """Open the adapter whose folder has this name with one connection's settings.

    Raises `PimsMisconfigured` where there is no such adapter or the settings do not fit it.
    """
    if not name.isidentifier() or util.find_spec(f"pims_adapters.{name}") is None:
        raise PimsMisconfigured(
            f"There is no PIMS adapter called {name!r}; the folders of pims_adapters/ are their names."
        )
    adapter: PimsAdapter = import_module(f"pims_adapters.{name}").connect(settings)
    return adapter
