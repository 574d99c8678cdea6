"""The contract suite's peer of `no_pims`: there is nothing to start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from tests.pims_adapters.peers import Peer


class Nobody(Peer):
    """Nobody to speak to."""

    name = "no_pims"
    misfits = ({"timezone": "Mars/Olympus"}, {"timezone": "../etc/passwd"}, {"timezone": "Europe"}, {"name": "  "})

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        peer = cls()
        peer.settings = {"name": "Oak Lane Veterinary", "timezone": "America/Chicago"}
        yield peer


PEER = Nobody
