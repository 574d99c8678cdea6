"""Writing our events: before and after it is looked whether the time is free, as CalDAV cannot take it in one step."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct

from pims_adapters.caldav import fetch, ours
from pims_adapters.caldav.events import busy
from pims_adapters.caldav.exchange import Answer, Exchange
from pims_adapters.caldav.home import Calendar
from pims_adapters.caldav.settings import Settings
from pims_adapters.contract import AppointmentDraft, PimsRejected, PimsUnavailable

TRIES = 3


class ChangedMeanwhile(Exception):
    """Somebody else wrote the event between our looking and our writing; stays inside this module."""


class Trace(Struct):
    """What one call has done so far: whether a write has left, and whether something of it surely stands there."""

    sent: bool = False
    wrote: bool = False


class Writer:
    """Writes into the calendars of one home, one appointment at a time."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        self._exchange = exchange
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    async def create(self, calendars: dict[str, Calendar], draft: AppointmentDraft, key: str, trace: Trace) -> str:
        uid = ours.uid_of(key)
        chosen = _chosen(calendars, draft)
        async with self._one_at_a_time:
            await self._check_free(chosen, draft, uid)
            text = ours.new_event(draft, key, self._exchange.clock)
            made: list[tuple[Calendar, str | None]] = []
            try:
                for calendar in chosen:
                    answer = await self._put(calendar.path_to(ours.name_of(uid)), text, None, trace)
                    if not answer.stands_otherwise:  # else it is there: an earlier try got this far
                        made.append((calendar, answer.headers.get("etag")))
                await self._check_free(chosen, draft, uid)
            except PimsRejected:
                await self._withdraw(made, uid, trace)
                raise
        return uid

    async def change(self, calendars: dict[str, Calendar], uid: str, draft: AppointmentDraft, trace: Trace) -> None:
        chosen = _chosen(calendars, draft)
        async with self._one_at_a_time:
            for _ in range(TRIES):
                copies = await self.copies(calendars, uid)
                _check_open(copies)
                if ours.stands_as(copies, draft):
                    return
                await self._check_free(chosen, draft, uid)
                try:
                    await self._move(calendars, chosen, copies, draft, trace)
                except ChangedMeanwhile:
                    continue
                return
        raise PimsRejected("Somebody else keeps changing the appointment in the calendar.")

    async def edit(
        self,
        calendars: dict[str, Calendar],
        uid: str,
        trace: Trace,
        done: Callable[[ours.Copy], bool],
        edited: Callable[[str, datetime], bytes],
    ) -> None:
        """Edit every copy that is not `done`."""
        async with self._one_at_a_time:
            for _ in range(TRIES):
                copies = await self.copies(calendars, uid)
                if not copies:
                    raise PimsRejected("The calendar no longer has the appointment.")
                try:
                    for copy in copies:
                        if not done(copy):
                            await self._replace(calendars, copy, edited(copy.stored.text, self._exchange.clock), trace)
                except ChangedMeanwhile:
                    continue
                return
        raise PimsRejected("Somebody else keeps changing the appointment in the calendar.")

    async def copies(self, calendars: dict[str, Calendar], uid: str) -> list[ours.Copy]:
        """Return our appointment's copies: by the name we gave it, or where staff copied it to under another."""
        zone = self._settings.zone
        name = ours.name_of(uid)
        named = await asyncio.gather(
            *(fetch.by_names(self._exchange, calendar, [name], zone) for calendar in calendars.values())
        )
        found = [stored for one in named for stored in one.values()]
        if not found and ours.OUR_UID.fullmatch(uid):
            alike = (fetch.by_uid(self._exchange, calendar, uid, zone) for calendar in calendars.values())
            found = [stored for one in await asyncio.gather(*alike) for stored in one]
        return ours.copies_of(found)

    async def _move(
        self,
        calendars: dict[str, Calendar],
        chosen: list[Calendar],
        copies: list[ours.Copy],
        draft: AppointmentDraft,
        trace: Trace,
    ) -> None:
        """Write the new places first, look whether they are free, then leave the old ones."""
        by_calendar = {copy.stored.calendar: copy for copy in copies}
        uid = copies[0].stored.uid
        undo: list[tuple[Calendar, str | None]] = []
        changed: list[tuple[ours.Copy, str | None]] = []
        try:
            for calendar in chosen:
                copy = by_calendar.get(calendar.id)
                text = ours.moved((copy or copies[0]).stored.text, draft, self._exchange.clock)
                if copy is None:
                    answer = await self._put(calendar.path_to(ours.name_of(uid)), text, None, trace)
                    if answer.stands_otherwise:
                        raise ChangedMeanwhile
                    undo.append((calendar, answer.headers.get("etag")))
                else:
                    changed.append((copy, await self._replace(calendars, copy, text, trace)))
            await self._check_free(chosen, draft, uid)
        except PimsRejected:
            for copy, etag in changed:
                path = calendars[copy.stored.calendar].path_to(copy.stored.name)
                await self._put(path, copy.stored.text.encode(), etag, trace, always=True)
            await self._withdraw(undo, uid, trace)
            raise
        for copy in copies:
            if copy.stored.calendar not in draft.resources:
                path = calendars[copy.stored.calendar].path_to(copy.stored.name)
                if (await self._exchange.delete(path, etag=copy.stored.etag)).stands_otherwise:
                    raise ChangedMeanwhile

    async def _check_free(self, chosen: list[Calendar], draft: AppointmentDraft, uid: str) -> None:
        begin, end, zone = draft.start, draft.end, self._settings.zone
        found = await asyncio.gather(*(fetch.by_time(self._exchange, one, begin, end, zone) for one in chosen))
        for calendar, stored in zip(chosen, found, strict=True):
            if any(any(busy(one, begin, end)) for one in stored if one.uid != uid):
                raise PimsRejected(f"The calendar {calendar.name} is not free then.", taken=True)

    async def _replace(self, calendars: dict[str, Calendar], copy: ours.Copy, text: bytes, trace: Trace) -> str | None:
        path = calendars[copy.stored.calendar].path_to(copy.stored.name)
        answer = await self._put(path, text, copy.stored.etag, trace)
        if answer.stands_otherwise:
            raise ChangedMeanwhile
        return answer.headers.get("etag")

    async def _put(self, path: str, text: bytes, etag: str | None, trace: Trace, *, always: bool = False) -> Answer:
        trace.sent = True
        answer = await self._exchange.put(path, text, etag=etag if etag is not None or not always else "*")
        if answer.absent:
            raise PimsRejected("The calendar no longer has the place for the appointment.")
        trace.wrote = trace.wrote or not answer.stands_otherwise
        return answer

    async def _withdraw(self, made: Iterable[tuple[Calendar, str | None]], uid: str, trace: Trace) -> None:
        """Take back what was written; should that fail, nobody knows what stands there."""
        for calendar, etag in made:
            answer = await self._exchange.delete(calendar.path_to(ours.name_of(uid)), etag=etag)
            if answer.stands_otherwise:
                raise PimsUnavailable("Somebody changed what was to be taken back.", outcome_unknown=True)
        trace.wrote = False


def _chosen(calendars: dict[str, Calendar], draft: AppointmentDraft) -> list[Calendar]:
    """Return the calendars of the draft's resources, in the order in which all writers take them."""
    if not draft.resources or not set(draft.resources) <= set(calendars):
        raise PimsRejected("There is no calendar for one of the resources.")
    return [calendars[id_] for id_ in sorted(set(draft.resources))]


def _check_open(copies: list[ours.Copy]) -> None:
    if not copies:
        raise PimsRejected("The calendar no longer has the appointment.")
    if all(copy.entry.cancelled for copy in copies):
        raise PimsRejected("The appointment is cancelled in the calendar.")
