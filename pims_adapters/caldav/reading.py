"""Following the calendars: pages of what changed, and complete listings."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from pims_adapters.caldav import fetch, ours
from pims_adapters.caldav.cursor import Cursor, Place, read_cursor
from pims_adapters.caldav.events import DAY, Stored, busy
from pims_adapters.caldav.exchange import Exchange
from pims_adapters.caldav.home import Calendar, Home, find_calendars
from pims_adapters.caldav.schedule import NOTHING, Horizon, Records, id_of, records_of
from pims_adapters.caldav.settings import Settings
from pims_adapters.contract import (
    Appointment,
    BlockOff,
    Change,
    ChangePage,
    Gone,
    Listing,
    Practice,
    RecordKind,
    Resource,
)

PAGE = 200
FOLLOW_ANEW = timedelta(days=30)
LONGEST = 62 * DAY


def practice_of(home: Home, settings: Settings) -> Practice:
    return Practice(pims_id=home.path, name=home.name, timezone=settings.timezone)


async def page_after(
    exchange: Exchange, settings: Settings, home: Home, text: str | None
) -> tuple[ChangePage, dict[str, Calendar]]:
    """Return the page that follows a cursor, of each calendar whose state is another; and the calendars."""
    known = None if text is None else read_cursor(text, home.path)
    calendars, answer = await find_calendars(exchange, settings, home, states=True)
    horizon = Horizon(settings.zone, answer.at)
    cursor = known or Cursor(home=home.path, on=answer.at.date(), resources={}, places={}, blocks={}, expanded={})
    changes: list[Change] = [] if known else [practice_of(home, settings)]
    changes += _resources(cursor, calendars, settings)
    page = _Page(exchange, calendars, horizon, cursor)
    if answer.at.date() - cursor.on >= FOLLOW_ANEW:
        for calendar in calendars.values():
            await page.take(calendar, dict.fromkeys(cursor.expanded.get(calendar.id, []), True), initial=False)
        cursor.on = answer.at.date()
    for id_ in sorted(calendars):
        place = cursor.places.get(id_, Place())
        if page.left > 0 and not (place.done and place.token == calendars[id_].token):
            await page.read_on(calendars[id_], place)
    changes += await page.finished()
    more = not all(cursor.places.get(id_, Place()).done for id_ in calendars) or page.left <= 0
    return ChangePage(changes=changes, cursor=cursor.text(), more=more, as_of=answer.at), calendars


async def listing(
    exchange: Exchange, settings: Settings, home: Home, kind: RecordKind, first: date, last: date
) -> Listing:
    """Return everything of a kind that touches the local days."""
    calendars, answer = await find_calendars(exchange, settings, home)
    zone = settings.zone
    begin, end = (datetime.combine(day, time(), tzinfo=zone) for day in (first, min(last, first + LONGEST) + DAY))
    records: list[Change] = []
    if kind == "practice":
        records = [practice_of(home, settings)]
    elif kind == "resource":
        records = [calendar.resource(settings) for calendar in calendars.values()]
    elif kind in ("appointment", "blockoff"):
        horizon = Horizon(zone, answer.at)
        found = [s for one in calendars.values() for s in await fetch.by_time(exchange, one, begin, end, zone)]
        mine = await _copies(exchange, calendars, {s.uid for s in found if ours.is_ours(s)}, found, horizon)
        both: list[Appointment | BlockOff] = [ours.appointment_of(copies) for copies in mine.values()]
        both += [r for s in found if not ours.is_ours(s) for r in _all(records_of(s, horizon), s, begin, end)]
        wanted = Appointment if kind == "appointment" else BlockOff
        records = [one for one in both if isinstance(one, wanted) and _touches(one, begin, end)]
    return Listing(records=records, complete=True, as_of=answer.at)


class _Page:
    """What is gathered for one page, and how far the cursor gets by it."""

    def __init__(self, exchange: Exchange, calendars: dict[str, Calendar], horizon: Horizon, cursor: Cursor) -> None:
        self.left = PAGE
        self._exchange = exchange
        self._calendars = calendars
        self._horizon = horizon
        self._cursor = cursor
        self._changes: list[Change] = []
        self._ours: dict[str, set[str]] = {}  # by UID: the calendars that are read for the first time
        self._told_of: set[str] = set()  # UIDs of which a calendar says that they changed
        self._seen: list[Stored] = []

    async def read_on(self, calendar: Calendar, place: Place) -> None:
        names, following = await fetch.changed_names(self._exchange, calendar, place.token)
        ahead = sorted(name for name in names if name > place.after)
        taken = ahead[: self.left]
        await self.take(calendar, {name: names[name] for name in taken}, initial=place.token is None)
        then = place.then or following
        done = len(taken) == len(ahead)
        self._cursor.places[calendar.id] = Place(then) if done else Place(place.token, then, taken[-1])

    async def take(self, calendar: Calendar, names: dict[str, bool], *, initial: bool) -> None:
        """Bring what stands under these names now; False: it was said to be gone."""
        self.left -= len(names)
        there = [name for name, still in names.items() if still]
        found = await fetch.by_names(self._exchange, calendar, there, self._horizon.zone)
        for name in names:
            stored = found.get(name)
            uid = stored.uid if stored is not None and ours.is_ours(stored) else ours.uid_in(name)
            if uid is not None:
                self._ours.setdefault(uid, set()).update({calendar.id} if initial else ())
                self._told_of.update(() if initial else {uid})
            if stored is not None and ours.is_ours(stored):
                self._seen.append(stored)
                stored = None
            records = NOTHING if stored is None else records_of(stored, self._horizon)
            if not (uid is not None and records == NOTHING and name not in self._cursor.blocks.get(calendar.id, {})):
                self._changes += self._news(calendar.id, name, records, initial=initial)

    def _news(self, calendar: str, name: str, records: Records, *, initial: bool) -> list[Change]:
        """Compare with what was last told of the name, and note what is told now."""
        id_ = id_of(calendar, name)
        blocks = self._cursor.blocks.setdefault(calendar, {})
        expanded = self._cursor.expanded.setdefault(calendar, [])
        was_block, parts_before = name in blocks, blocks.pop(name, 0)
        if name in expanded:
            expanded.remove(name)
        if records.expanded:
            expanded.append(name)
        if records.parts or isinstance(records.main, BlockOff):
            blocks[name] = len(records.parts)
        gone: list[Change] = []
        if was_block and not isinstance(records.main, BlockOff):
            gone.append(Gone(of="blockoff", pims_id=id_))
        if not was_block and not initial and not isinstance(records.main, Appointment):
            gone.append(Gone(of="appointment", pims_id=id_))
        gone += [Gone(of="blockoff", pims_id=f"{id_}#{number}") for number in range(len(records.parts), parts_before)]
        return [*gone, *([records.main] if records.main else []), *records.parts]

    def _is_first_met(self, mine: list[ours.Copy], read_in: set[str]) -> bool:
        """Tell whether it is on this page that it comes, of all on which one of its calendars is read at first."""
        lasts = max(copy.entry.end for copy in mine) >= self._horizon.first
        return lasts and min(copy.stored.calendar for copy in mine) in read_in

    async def finished(self) -> list[Change]:
        """Return the page's changes; ours are put together of all calendars, whichever told of them."""
        copies = await _copies(self._exchange, self._calendars, self._ours, self._seen, self._horizon)
        for uid, read_in in self._ours.items():
            mine = copies.get(uid)
            if not mine:
                self._changes.append(Gone(of="appointment", pims_id=uid))
            elif uid in self._told_of or self._is_first_met(mine, read_in):
                self._changes.append(ours.appointment_of(mine))
        return self._changes


async def _copies(
    exchange: Exchange, calendars: dict[str, Calendar], uids: Iterable[str], seen: list[Stored], horizon: Horizon
) -> dict[str, list[ours.Copy]]:
    """Return the copies of our appointments from all calendars, by their UIDs; those seen under other names, too."""
    found: dict[str, list[ours.Copy]] = {uid: [] for uid in uids}
    for copy in ours.copies_of(seen):
        found.setdefault(copy.stored.uid, []).append(copy)
    elsewhere: dict[str, list[str]] = {}
    for uid, copies in found.items():
        # The copies that were seen say where there are others; where none was, it may be anywhere.
        places = {place for copy in copies for place in copy.resources} if copies else set(calendars)
        for place in (places & set(calendars)) - {copy.stored.calendar for copy in copies}:
            elsewhere.setdefault(place, []).append(ours.name_of(uid))
    for place, names in elsewhere.items():
        for copy in ours.copies_of((await fetch.by_names(exchange, calendars[place], names, horizon.zone)).values()):
            found[copy.stored.uid].append(copy)
    return {uid: copies for uid, copies in found.items() if copies}


def _resources(cursor: Cursor, calendars: dict[str, Calendar], settings: Settings) -> list[Change]:
    changes: list[Change] = []
    for id_ in [known for known in cursor.resources if known not in calendars]:
        cursor.forget(id_)
        changes.append(Gone(of="resource", pims_id=id_))
    for id_, calendar in calendars.items():
        resource: Resource = calendar.resource(settings)
        said = (resource.name, resource.resource_kind)
        if cursor.resources.get(id_) != said:
            cursor.resources[id_] = said
            changes.append(resource)
    return changes


def _all(records: Records, stored: Stored, begin: datetime, end: datetime) -> Iterable[Appointment | BlockOff]:
    """Return an event's records; a series only where it takes some of the time."""
    main = records.main
    if main is not None and (isinstance(main, Appointment) or main.time.rrule is None or any(busy(stored, begin, end))):
        yield main
    yield from records.parts


def _touches(record: Appointment | BlockOff, begin: datetime, end: datetime) -> bool:
    if isinstance(record, Appointment):
        return record.start < end and record.end > begin
    if record.time.rrule is not None:
        return True
    starts = record.time.starts.replace(tzinfo=begin.tzinfo)
    return starts < end and starts + record.time.duration > begin
