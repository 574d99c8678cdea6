"""Which agent is asking: by its token, before anything of the request is read.

It is counted by who it is, strangers are by their address.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from booking.agents.tokens import AgentUnknown, agent_of
from booking.api.given import HttpRequest, now
from booking.api.limits import Asking, limited
from booking.db.agents import Agent

OF_ONE = limited("agent", times=1200, per=timedelta(minutes=1))
OF_STRANGERS = limited("agent-strangers", times=60, per=timedelta(minutes=1))


class LetsAgentIn(Struct, frozen=True):
    """The guard of every route of an agent. Raises `AgentUnknown`."""

    async def __call__(self, connection: Asking, handler: BaseRouteHandler) -> None:
        """Let in whoever has the token of an agent, and remember which one it is."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        try:
            agent = await agent_of(
                connection.app.state.pool, token.strip() if scheme.lower() == "bearer" else "", now=now()
            )
        except AgentUnknown:
            await OF_STRANGERS(connection, handler)
            raise
        connection.scope["state"]["agent"] = agent
        connection.scope["state"]["counted_by"] = str(agent.connection_id)
        await OF_ONE(connection, handler)


async def the_agent(request: HttpRequest) -> Agent:
    """Return who was let in. Raises `AgentUnknown` where a route forgot its guard."""
    agent = request.scope["state"].get("agent")
    if not isinstance(agent, Agent):
        raise AgentUnknown(AgentUnknown.__doc__)
    return agent


TheAgent: TypeAlias = NamedDependency[Agent]
OF_AGENT = {"agent": Provide(the_agent)}
