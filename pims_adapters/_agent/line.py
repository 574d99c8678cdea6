"""Line: one connection's relay, spoken to in the protocol's structs; what cannot be read becomes an error of ours."""

from __future__ import annotations

from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pims_adapters import contract
from pims_adapters._agent import protocol

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
T = TypeVar("T")


class Line:
    """What an adapter asks its agent through."""

    def __init__(self, relay: contract.Relay) -> None:
        self.relay = relay

    async def seen(self) -> contract.AgentSeen:
        """Return what the agent said of itself. Raises `PimsUnavailable` before it first came."""
        seen = await self.relay.agent()
        if seen is None:
            raise contract.PimsUnavailable("The agent beside the PIMS has not come yet.", outcome_unknown=False)
        return seen

    async def zone(self) -> ZoneInfo:
        """Return the zone whose local times the PIMS keeps."""
        name = (await self.seen()).timezone
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise contract.PimsMisconfigured(f"The agent names a time zone that is none: {name!r}.") from None

    async def ask(self, call: protocol.CallName, body: msgspec.Struct, type_: type[T], *, key: str | None = None) -> T:
        """Have the agent do something. Under a key it is a write, and at most one."""
        answer = await self.relay.ask(call, msgspec.json.encode(body), key=key)
        try:
            return readable(answer, type_)
        except UNREADABLE:
            # What it says would quote the answer, which may name people.
            reason = "The answer of the agent beside the PIMS cannot be read."
            raise contract.PimsUnavailable(reason, outcome_unknown=key is not None) from None


def readable(text: bytes, type_: type[T]) -> T:
    """Read JSON without the character U+0000, which old systems leave in texts and nobody here can keep."""
    if b"\\u0000" not in text:
        return msgspec.json.decode(text, type=type_)
    return msgspec.convert(_cleaned(msgspec.json.decode(text)), type_)


def _cleaned(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {name: _cleaned(one) for name, one in value.items()}
        case _:
            return value
