"""The contract suite's peer of `cornerstone`."""

from tests.pims_adapters.agent_peer import AgentPeer


class CornerstonePeer(AgentPeer):
    """A simulated Cornerstone."""

    name = system = "cornerstone"
    author = "acting_staff"


PEER = CornerstonePeer
