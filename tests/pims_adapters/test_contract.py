"""The contract suite: every adapter, found by its folder, keeps every promise of its abilities.

`promises/` has them, `peers.py` says what a folder brings; that the suite notices a broken promise is shown in
`test_contract_is_strict.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from importlib import import_module, util

import pytest

from pims_adapters import systems
from pims_adapters.contract import PimsAdapter
from tests.pims_adapters.peers import Peer, SystemPeer
from tests.pims_adapters.promises.every import PROMISES

FOLDERS = tuple(systems())


def module_of(folder: str) -> str:
    return f"tests.pims_adapters.{folder}.peer"


def has_peer(folder: str) -> bool:
    package = module_of(folder).rpartition(".")[0]
    return util.find_spec(package) is not None and util.find_spec(module_of(folder)) is not None


def peer_of(folder: str) -> type[Peer]:
    found: type[Peer] = import_module(module_of(folder)).PEER
    return found


PEERS = {folder: peer_of(folder) for folder in FOLDERS if has_peer(folder)}
ASKED = [
    pytest.param(folder, name, id=f"{folder}-{name}")
    for folder, peer in PEERS.items()
    for name, promise in PROMISES.items()
    if promise.asked_of(peer)
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_brings_its_peer(folder: str) -> None:
    assert folder in PEERS, (
        f"pims_adapters/{folder} has no tests/pims_adapters/{folder}/peer.py, which the contract suite needs: "
        "see docs/adding-a-pims.md."
    )
    assert PEERS[folder].name == folder


@pytest.fixture(scope="module")
async def started() -> AsyncIterator[Callable[[str], Awaitable[Peer]]]:
    """Return a function that starts a folder's peer when it is first asked for; all of them end with the module."""
    running: dict[str, Peer] = {}
    async with AsyncExitStack() as stack:

        async def peer_in(folder: str) -> Peer:
            if folder not in running:
                running[folder] = await stack.enter_async_context(PEERS[folder].running())
            return running[folder]

        yield peer_in


@pytest.fixture
async def peer(folder: str, started: Callable[[str], Awaitable[Peer]]) -> Peer:
    return await started(folder)


@pytest.fixture
async def adapter(peer: Peer) -> AsyncIterator[PimsAdapter]:
    adapter = peer.connect()
    yield adapter
    await adapter.close()
    if isinstance(peer, SystemPeer):
        await peer.calm()


@pytest.mark.parametrize(("folder", "name"), ASKED)
async def test_contract(peer: Peer, adapter: PimsAdapter, name: str) -> None:
    await PROMISES[name].keep(peer, adapter)
