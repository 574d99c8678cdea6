"""One Radicale for the folder; each test writes events of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pims_adapters.caldav.adapter import CalDavAdapter
from tests.pims_adapters.caldav.peer import CalDavPeer


@pytest.fixture(scope="package")
async def shared_peer() -> AsyncIterator[CalDavPeer]:
    async with CalDavPeer.running() as peer:
        yield peer


@pytest.fixture
async def peer(shared_peer: CalDavPeer) -> AsyncIterator[CalDavPeer]:
    yield shared_peer
    await shared_peer.calm()


@pytest.fixture
async def adapter(peer: CalDavPeer) -> AsyncIterator[CalDavAdapter]:
    async with peer.connected() as adapter:
        yield adapter
