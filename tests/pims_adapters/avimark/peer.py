"""The contract suite's peer of `avimark`."""

from tests.pims_adapters.agent_peer import AgentPeer


class AvimarkPeer(AgentPeer):
    """A simulated AVImark, which deletes without a word."""

    name = system = "avimark"
    author = "default_exporter"


PEER = AvimarkPeer
