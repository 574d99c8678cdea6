"""What every adapter behind an agent does: it says who the PIMS is, and reads what the agent has pushed."""

from __future__ import annotations

from typing import ClassVar

from pims_adapters import contract
from pims_adapters._agent import protocol
from pims_adapters._agent.dialect import Dialect
from pims_adapters._agent.line import UNREADABLE, Line, readable
from pims_adapters._agent.marker import marker
from pims_adapters._agent.rows import read_rows

PRACTICE = contract.Setting(
    name="practice",
    label="Practice identifier",
    help="Names the practice on its server; whoever switches the connection on tells it.",
)


class AgentAdapter:
    """One connection to one PIMS behind an agent (see `contract.PimsAdapter` for what each call promises)."""

    dialect: ClassVar[Dialect]
    feeds: ClassVar[tuple[contract.Feed, ...]]

    def __init__(self, line: Line, *, author: str | None = None) -> None:
        self.line = line
        self.author = author

    async def check(self) -> contract.Checked:
        """Look for something that is not there: agent and PIMS have to answer for that."""
        seen = await self.line.seen()
        await self.line.ask("find", protocol.Find(table="client", marker=marker("check")), protocol.Created)
        practice = contract.Practice(pims_id=seen.practice_pims_id, name=seen.practice_name, timezone=seen.timezone)
        return contract.Checked(practice=practice, clock=seen.at + seen.skew, version=seen.version)

    async def changes(self, feed: str, cursor: str | None) -> contract.ChangePage:
        if feed not in {one.name for one in self.feeds}:
            raise contract.PimsMisconfigured(f"This system has no feed {feed!r}.")
        page = await self.line.relay.page(feed, cursor)
        try:
            rows = readable(page.rows, tuple[protocol.AnyRow, ...])
        except UNREADABLE:
            reason = "A page of the agent beside the PIMS cannot be read."
            raise contract.PimsUnavailable(reason, outcome_unknown=False) from None
        changes = read_rows(rows, self.dialect, await self.line.zone()) if rows else []
        return contract.ChangePage(changes=changes, cursor=page.cursor, more=page.more, as_of=page.as_of)

    async def close(self) -> None:
        """Nothing is open: the relay is the worker's."""


def line_of(settings: dict[str, str], relay: contract.Relay | None, *more: contract.Setting) -> Line:
    """Return the line to a connection's agent. Raises `PimsMisconfigured`, where the settings do not fit, too."""
    unknown = settings.keys() - {one.name for one in (PRACTICE, *more)}
    if unknown:
        raise contract.PimsMisconfigured(f"There is no such setting: {', '.join(sorted(unknown))}.")
    if relay is None:
        raise contract.PimsMisconfigured("This system speaks through an agent, and no agent was set up.")
    if not settings.get("practice"):
        raise contract.PimsMisconfigured("The setting `practice` is missing: the practice's identifier.")
    return Line(relay)
