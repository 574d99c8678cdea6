"""The contract's calls, as a calendar server answers them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import TypeVar

from pims_adapters import contract
from pims_adapters.caldav import fetch, ours, reading
from pims_adapters.caldav.exchange import Exchange
from pims_adapters.caldav.home import Calendar, Home, find_calendars, find_home
from pims_adapters.caldav.schedule import Horizon, records_of
from pims_adapters.caldav.settings import Settings
from pims_adapters.caldav.writing import Trace, Writer

LONGEST_VERSION = 100

T = TypeVar("T")


class CalDavAdapter:
    """One user's calendars (see `contract.PimsAdapter` for what each call promises)."""

    feeds = (contract.Feed(name="calendars", kinds=("practice", "resource", "blockoff", "appointment")),)
    asks: tuple[contract.DraftField, ...] = ()
    write_lag = timedelta()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exchange = Exchange(settings)
        self._writer = Writer(self._exchange, settings)
        self._home: Home | None = None
        self._calendars: dict[str, Calendar] | None = None

    async def check(self) -> contract.Checked:
        async def ask(_trace: Trace) -> contract.Checked:
            home = await find_home(self._exchange, self._settings)
            self._calendars, answer = await find_calendars(self._exchange, self._settings, home)
            version = answer.headers.get("server", "")[:LONGEST_VERSION]
            practice = reading.practice_of(home, self._settings)
            return contract.Checked(practice=practice, clock=answer.at, version=version)

        return await self._bounded(ask)

    async def changes(self, feed: str, cursor: str | None) -> contract.ChangePage:  # noqa: ARG002
        async def ask(_trace: Trace) -> contract.ChangePage:
            page, self._calendars = await reading.page_after(
                self._exchange, self._settings, await self._find_home(), cursor
            )
            return page

        return await self._bounded(ask)

    async def listing(self, kind: contract.RecordKind, first: date, last: date) -> contract.Listing:
        async def ask(_trace: Trace) -> contract.Listing:
            home = await self._find_home()
            return await reading.listing(self._exchange, self._settings, home, kind, first, last)

        return await self._bounded(ask)

    async def create_appointment(self, draft: contract.AppointmentDraft, key: str) -> str:
        async def write(trace: Trace) -> str:
            return await self._writer.create(await self._known_calendars(), draft, key, trace)

        return await self._bounded(write)

    async def find(self, kind: contract.Kind, key: str) -> str | None:
        """Return our appointment where it stands in all of its calendars; half of one is to be completed by sending."""

        async def ask(_trace: Trace) -> str | None:
            copies = await self._writer.copies(await self._known_calendars(), ours.uid_of(key))
            return ours.uid_of(key) if ours.is_whole(copies) else None

        return await self._bounded(ask) if kind == "appointment" else None

    async def read(self, kind: contract.Kind, pims_id: str) -> contract.Appointment | None:
        async def ask(_trace: Trace) -> contract.Appointment | None:
            calendars = await self._known_calendars()
            if ours.OUR_UID.fullmatch(pims_id):
                copies = await self._writer.copies(calendars, pims_id)
                return ours.appointment_of(copies) if copies else None
            calendar, _slash, name = pims_id.partition("/")
            if calendar not in calendars or not name or "/" in name or name in (".", ".."):
                return None
            found = await fetch.by_names(self._exchange, calendars[calendar], [name], self._settings.zone)
            main = (
                records_of(found[name], Horizon(self._settings.zone, self._exchange.clock)).main
                if name in found
                else None
            )
            return main if isinstance(main, contract.Appointment) else None

        return await self._bounded(ask) if kind == "appointment" else None

    async def change_appointment(self, pims_id: str, draft: contract.AppointmentDraft, key: str) -> None:  # noqa: ARG002
        async def write(trace: Trace) -> None:
            await self._writer.change(await self._known_calendars(), pims_id, draft, trace)

        await self._bounded(write)

    async def cancel_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002
        async def write(trace: Trace) -> None:
            calendars = await self._known_calendars()
            await self._writer.edit(calendars, pims_id, trace, lambda copy: copy.entry.cancelled, ours.cancelled)

        await self._bounded(write)

    async def confirm_appointment(self, pims_id: str, key: str) -> None:  # noqa: ARG002
        async def write(trace: Trace) -> None:
            calendars = await self._known_calendars()
            await self._writer.edit(calendars, pims_id, trace, lambda copy: copy.confirmed, ours.confirmed)

        await self._bounded(write)

    async def close(self) -> None:
        await self._exchange.close()

    async def _find_home(self) -> Home:
        if self._home is None:
            self._home = await find_home(self._exchange, self._settings)
        return self._home

    async def _known_calendars(self) -> dict[str, Calendar]:
        """Return the calendars as the last page or check found them: who adds one waits for the next."""
        if self._calendars is None:
            home = await self._find_home()
            self._calendars, _answer = await find_calendars(self._exchange, self._settings, home)
        return self._calendars

    async def _bounded(self, work: Callable[[Trace], Awaitable[T]]) -> T:
        """Bound a whole call, however many questions it asks; what was written in part makes its outcome unknown."""
        trace = Trace()
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await work(trace)
        except TimeoutError:
            raise contract.PimsUnavailable(
                "The calendar server took too long to answer.", outcome_unknown=trace.sent
            ) from None
        except contract.PimsUnavailable as failure:
            if trace.wrote and not failure.outcome_unknown:
                raise contract.PimsUnavailable(str(failure), outcome_unknown=True) from None
            raise
