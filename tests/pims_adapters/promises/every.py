"""All promises there are."""

from tests.pims_adapters.promises import changing, connecting, creating, going_wrong, listing, people, reading
from tests.pims_adapters.promises.made import PROMISES

MODULES = (changing, connecting, creating, going_wrong, listing, people, reading)

__all__ = ["MODULES", "PROMISES"]
