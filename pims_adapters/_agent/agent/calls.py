"""What vetslot asks for, done in the PIMS: each key at most once, whatever crashes in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pims_adapters._agent import protocol
from pims_adapters._agent.agent.journal import Journal, Written
from pims_adapters._agent.agent.source import Source, Write
from pims_adapters._agent.marker import marker
from pims_adapters._agent.protocol import MOST_ROWS, Call, Failure, Table
from pims_adapters.contract import PimsError, PimsMisconfigured, PimsRejected, PimsUnavailable

SURE_AFTER = timedelta(seconds=15)
"""A write that left so long ago and is not to be found (beyond the write lag) did not happen: no time-out is longer."""

WRITES: dict[str, tuple[type[Write], Table | None]] = {
    "create_client": (protocol.CreateClient, "client"),
    "create_patient": (protocol.CreatePatient, "patient"),
    "create_appointment": (protocol.CreateAppointment, "appointment"),
    "cancel_appointment": (protocol.SetStatus, None),
    "confirm_appointment": (protocol.SetStatus, None),
    "set_status": (protocol.SetStatus, None),
    "export_conversation": (protocol.ExportConversation, None),
}
"""What each write is told, and the table that a creation adds to."""

log = logging.getLogger("vetslot.agent")


class Outcome(Struct, frozen=True):
    """What became of a call: exactly one of the two."""

    answer: bytes | None
    failure: Failure | None


class Hands:
    """What does calls. Reads go side by side, writes one after the other."""

    def __init__(
        self, source: Source, journal: Journal, resend: Callable[[str], None], *, sure_after: timedelta = SURE_AFTER
    ) -> None:
        self._source = source
        self._journal = journal
        self._resend = resend
        self._sure_after = sure_after
        self._one_write = asyncio.Lock()
        self.write_lag = timedelta()

    async def do(self, call: Call) -> Outcome:
        """Do what is asked, unless it came too late."""
        try:
            if call.call in WRITES:
                async with self._one_write:
                    self._check_deadline(call)
                    answer: Struct = protocol.Created(id=await self._write(call))
            else:
                self._check_deadline(call)
                answer = await self._read(call)
            return Outcome(msgspec.json.encode(answer), None)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Outcome(None, Failure(kind="rejected", reason="The agent cannot read what it was asked."))
        except PimsError as error:
            return Outcome(None, failure_of(error))

    def reported(self, call: Call) -> None:
        """Note that vetslot has heard what became of a call."""
        written = self._journal.of(call.call, call.key) if call.key is not None else None
        if written is not None and not written.reported:
            self._journal.end(replace(written, reported=True))

    async def loose_end(self, written: Written) -> Outcome | None:
        """Return what became of a write that was begun before a crash; None while that cannot be known."""
        async with self._one_write:
            if written.ended == "done":
                return Outcome(msgspec.json.encode(protocol.Created(id=written.answer)), None)
            if written.ended == "not_done":
                return Outcome(None, Failure(kind="unavailable", reason="It was not done; the practice system failed."))
            if not _leaves_marker(written.call):
                # Saying it twice does no more than saying it once, so vetslot may ask again.
                self._end(written, "not_done")
                return Outcome(None, Failure(kind="unavailable", reason="The agent stopped; ask again."))
            try:
                found = await self._find(written.call, written.key)
            except PimsError:
                return None
            if found is not None:
                self._end(written, "done", found)
                return Outcome(msgspec.json.encode(protocol.Created(id=found)), None)
            if not self._surely_absent(written):
                return None
            self._end(written, "not_done")
            return Outcome(None, Failure(kind="unavailable", reason="The agent stopped before it was done."))

    def _check_deadline(self, call: Call) -> None:
        if call.deadline <= self._source.now():
            raise PimsUnavailable("The agent came to it too late.", outcome_unknown=False)

    # Writes

    async def _write(self, call: Call) -> str | None:
        body = msgspec.json.decode(call.body, type=WRITES[call.call][0])
        if call.key is None:
            return await self._source.write(call.call, body)
        known = self._journal.of(call.call, call.key)
        if known is not None and known.ended != "not_done" and _leaves_marker(call.call):
            if known.ended == "done":
                return known.answer
            found = await self._find(call.call, call.key)
            if found is not None:
                self._end(known, "done", found)
                return found
            if not self._surely_absent(known):
                raise PimsUnavailable("It may have been written already and not show yet.", outcome_unknown=True)
        written = Written(call=call.call, key=call.key, call_id=call.id, begun=self._source.now())
        self._journal.begin(written)
        return await self._leave(written, body)

    async def _leave(self, written: Written, body: Write) -> str | None:
        """Let a write leave, and note how it ended. Where that is not known, the PIMS may tell at once."""
        try:
            made = await self._source.write(written.call, body)
        except PimsUnavailable as error:
            if not error.outcome_unknown:
                self._end(written, "not_done")
                raise
            found = await self._found_after(error, written)
            if found is None:
                raise
            made = found
        except (PimsRejected, PimsMisconfigured):
            self._end(written, "not_done")
            raise
        self._end(written, "done", made)
        return made

    async def _found_after(self, lost: PimsUnavailable, written: Written) -> str | None:
        if not _leaves_marker(written.call):
            return None
        try:
            return await self._find(written.call, written.key)
        except PimsError:
            raise lost from None

    def _end(self, written: Written, how: Literal["done", "not_done"], answer: str | None = None) -> None:
        self._journal.end(replace(written, ended=how, answer=answer))

    def _surely_absent(self, written: Written) -> bool:
        return self._source.now() - written.begun > max(self.write_lag, timedelta()) + self._sure_after

    async def _find(self, call: str, key: str) -> str | None:
        if call == "export_conversation":
            return await self._source.find_conversation(marker(key))
        table = WRITES[call][1]
        return None if table is None else await self._source.find(table, marker(key))

    # Reads

    async def _read(self, call: Call) -> Struct:
        source, body = self._source, call.body
        match call.call:
            case "find_clients":
                rows = await source.find_clients(msgspec.json.decode(body, type=protocol.FindClients))
                return protocol.Rows(rows=rows[:MOST_ROWS])
            case "find":
                find = msgspec.json.decode(body, type=protocol.Find)
                if find.table is None:
                    raise PimsRejected("A record is looked for in a table.")
                return protocol.Created(id=await source.find(find.table, find.marker))
            case "find_conversation":
                wanted = msgspec.json.decode(body, type=protocol.Find)
                return protocol.Created(id=await source.find_conversation(wanted.marker))
            case "read":
                read = msgspec.json.decode(body, type=protocol.Read)
                row = await source.read(read.table, read.id)
                return protocol.Rows(rows=() if row is None else (row,), as_of=source.now())
            case "list":
                asked = msgspec.json.decode(body, type=protocol.ListRows)
                listed = await source.listing(asked.table, asked.first, asked.last, asked.after, MOST_ROWS)
                return protocol.Rows(rows=listed.rows, next=listed.next, as_of=source.now() - listed.age)
            case "resend":
                self._resend(msgspec.json.decode(body, type=protocol.Resend).feed)
                return protocol.Done()
        raise PimsRejected(f"This agent does not know how to {call.call}.")


def failure_of(error: PimsError) -> Failure:
    """Return an error of the contract as it is reported."""
    reason = str(error)[:200]
    if isinstance(error, PimsUnavailable):
        return Failure(kind="unavailable", reason=reason, outcome_unknown=error.outcome_unknown)
    if isinstance(error, PimsRejected):
        return Failure(kind="rejected", reason=reason, taken=error.taken)
    return Failure(kind="misconfigured", reason=reason)


def _leaves_marker(call: str) -> bool:
    return call.startswith("create_") or call == "export_conversation"
