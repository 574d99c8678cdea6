"""Stored events as records of the contract.

One time of less than a day is an appointment. Whatever recurs, or takes whole days, is a block-off in local time: as
one rule where the engine can follow it there, else one by one for a year ahead. Occurrences that were changed are
block-offs of their own.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from pims_adapters.caldav import rules
from pims_adapters.caldav.events import DAY, Entry, Stored, ending, starts
from pims_adapters.contract import Appointment, BlockOff, RecurringTime

BACK = timedelta(days=31)
AHEAD = timedelta(days=400)


class Horizon(Struct, frozen=True):
    """Which part of time matters: what ended a month ago is not brought, and odd zones are followed for a year."""

    zone: ZoneInfo
    now: datetime

    @property
    def first(self) -> datetime:
        return datetime.combine((self.now - BACK).date(), time(), tzinfo=self.zone)

    @property
    def last(self) -> datetime:
        return self.first + BACK + AHEAD


class Records(Struct, frozen=True):
    """What a stored event is to the contract. `expanded`: it was followed up to the horizon, and has to be again."""

    main: Appointment | BlockOff | None
    parts: list[BlockOff]
    expanded: bool = False


NOTHING = Records(None, [])


def id_of(calendar: str, name: str) -> str:
    return f"{calendar}/{name}"


def records_of(stored: Stored, horizon: Horizon) -> Records:
    """Return the records of an event that is not ours."""
    if stored.recurring:
        return _series(stored, horizon)
    main = stored.main
    if main is None or main.end <= main.start or main.end < horizon.first:
        return NOTHING
    if main.all_day or main.end - main.start > DAY:
        return (
            Records(_once(stored, main, horizon.zone, id_of(stored.calendar, stored.name)), [])
            if main.takes_time
            else NOTHING
        )
    if main.free and not main.cancelled:
        return NOTHING
    return Records(
        Appointment(
            pims_id=id_of(stored.calendar, stored.name),
            start=main.start,
            end=main.end,
            resources=(stored.calendar,),
            status="cancelled" if main.cancelled else "booked",
            description=main.summary,
        ),
        [],
    )


def _series(stored: Stored, horizon: Horizon) -> Records:
    main, name = stored.main, id_of(stored.calendar, stored.name)
    extra = [(entry, entry.start) for entry in stored.changed if entry.takes_time and entry.end >= horizon.first]
    if main is None or not main.takes_time:
        return Records(None, _parts(stored, extra, horizon.zone))
    if main.odd:
        return Records(_always(stored, main, horizon.zone), [])
    follows = main.recurs is not None and rules.same_clock(main.zone, horizon.zone, main.start)
    if main.recurs is None or not follows:
        extra += [(main, start) for start in starts(stored, horizon.first, horizon.last)]
        return Records(None, _parts(stored, extra, horizon.zone), expanded=main.recurs is not None)
    if not rules.goes_on(main.recurs, main.start, main.zone, horizon.first):
        return Records(None, _parts(stored, extra, horizon.zone))
    extra += [(main, start) for start in main.added if start >= horizon.first]
    not_then = {when.astimezone(horizon.zone).date() if isinstance(when, datetime) else when for when in main.excluded}
    not_then |= {e.instead_of.astimezone(horizon.zone).date() for e in stored.changed if e.instead_of is not None}
    rule = RecurringTime(
        starts=_local(main.start, horizon.zone),
        duration=_local(main.end, horizon.zone) - _local(main.start, horizon.zone),
        rrule=rules.text_of(main.recurs, horizon.zone),
        exdates=tuple(sorted(not_then)),
    )
    block = BlockOff(pims_id=name, resource=stored.calendar, time=rule, reason=main.summary)
    return Records(block, _parts(stored, extra, horizon.zone))


def _parts(stored: Stored, extra: list[tuple[Entry, datetime]], zone: ZoneInfo) -> list[BlockOff]:
    """Number the occurrences that stand for themselves, in the order of their times."""
    found = sorted(extra, key=lambda one: one[1])
    return [
        BlockOff(
            pims_id=f"{id_of(stored.calendar, stored.name)}#{number}",
            resource=stored.calendar,
            time=RecurringTime(
                starts=_local(start, zone), duration=_local(ending(entry, start), zone) - _local(start, zone)
            ),
            reason=entry.summary,
        )
        for number, (entry, start) in enumerate(found)
    ]


def _once(stored: Stored, entry: Entry, zone: ZoneInfo, pims_id: str) -> BlockOff:
    starts_at = _local(entry.start, zone)
    time_ = RecurringTime(starts=starts_at, duration=_local(entry.end, zone) - starts_at)
    return BlockOff(pims_id=pims_id, resource=stored.calendar, time=time_, reason=entry.summary)


def _always(stored: Stored, entry: Entry, zone: ZoneInfo) -> BlockOff:
    day: date = _local(entry.start, zone).date()
    time_ = RecurringTime(starts=datetime.combine(day, time()), duration=DAY, rrule="FREQ=DAILY")
    return BlockOff(
        pims_id=id_of(stored.calendar, stored.name),
        resource=stored.calendar,
        time=time_,
        reason=f"Recurs in a way that vetslot does not follow: {entry.summary}",
    )


def _local(when: datetime, zone: ZoneInfo) -> datetime:
    return when.astimezone(zone).replace(tzinfo=None)
