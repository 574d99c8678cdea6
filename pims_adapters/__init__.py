"""Adapters to practice information management systems, one folder each; `contract` says what they have in common."""

from importlib import import_module, util
from pkgutil import iter_modules

from pims_adapters.contract import PimsAdapter, PimsMisconfigured, Relay, System


def systems() -> dict[str, System]:
    """Return what can be connected, by the names of the folders; one that begins with an underscore is none."""
    folders = sorted(one.name for one in iter_modules(__path__) if one.ispkg and _is_folder_of_a_pims(one.name))
    return {name: system_of(name) for name in folders}


def system_of(name: str) -> System:
    """Return what the folder of this name is about. Raises `PimsMisconfigured` where there is no such folder."""
    found: System = import_module(_module_of(name)).system()
    return found


def open_adapter(name: str, settings: dict[str, str], relay: Relay | None = None) -> PimsAdapter:
    """Open the adapter whose folder has this name with one connection's settings.

    `relay`: the line to the practice's agent, for a system that speaks through one. Raises `PimsMisconfigured` where
    there is no such adapter or the settings do not fit it.
    """
    adapter: PimsAdapter = import_module(_module_of(name)).connect(settings, relay)
    return adapter


def _module_of(name: str) -> str:
    module = f"pims_adapters.{name}"
    if not _is_folder_of_a_pims(name) or util.find_spec(module) is None:
        raise PimsMisconfigured(
            f"There is no PIMS adapter called {name!r}; the folders of pims_adapters/ are their names."
        )
    return module


def _is_folder_of_a_pims(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_") and name != "contract"
