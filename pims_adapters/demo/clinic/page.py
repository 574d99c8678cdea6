"""The practice's own screen: one day of the schedule by column, and what arrived from outside."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pims_adapters.demo.clinic.records import (
    FREE_STATES,
    Appointment,
    Block,
    Client,
    Column,
    Holiday,
    Patient,
    Practice,
    VisitType,
)
from pims_adapters.demo.clinic.schedule import happenings, opened, to_instant, to_local
from pims_adapters.demo.clinic.store import Store

GROUPS = {"doctors": ("doctor",), "technicians": ("technician",), "rooms": ("room", "equipment")}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
DAY_STARTS, DAY_ENDS = 8 * 60, 18 * 60
"""The minutes of the day the sheet shows; what lies outside is moved to its edge."""
SHORTEST = 10
LATEST_FROM_OUTSIDE = 5
YEARS = timedelta(days=3650)
"""How far from today the sheet can be turned."""

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Entry:
    """A box on the sheet; `lane` of `lanes` stand side by side where staff double-booked."""

    begin: datetime
    end: datetime
    look: str
    title: str
    lines: tuple[str, ...]
    lane: int = 0
    lanes: int = 1

    @property
    def top(self) -> int:
        return min(max(_minute(self.begin), DAY_STARTS), DAY_ENDS - SHORTEST) - DAY_STARTS

    @property
    def height(self) -> int:
        return max(min(_minute(self.end), DAY_ENDS) - DAY_STARTS - self.top, SHORTEST)


def day(store: Store, asked: date | None, group: str, now: datetime) -> str:
    """Return the sheet of a day (today without one) for one group of columns."""
    with store.lock:
        practice = store.all(Practice)[0]
        zone = ZoneInfo(practice.timezone)
        today = to_local(now, zone).date()
        shown = min(max(asked or today, today - YEARS), today + YEARS)
        group = group if group in GROUPS else "doctors"
        columns = [column for column in store.all(Column) if column.category in GROUPS[group]]
        begin = to_instant(datetime.combine(shown, time()), zone)
        end = to_instant(datetime.combine(shown + timedelta(days=1), time()), zone)
        booked = store.appointments(begin, end)
        blocks = store.all(Block)
        names = _Names(store)
        sheet = []
        for column in columns:
            own = [appointment for appointment in booked if column.id in appointment.columns]
            entries = [_booked(appointment, names, zone) for appointment in own]
            sheet.append(
                (column.label, _hours(column, shown), _side_by_side(entries) + _blocked(column, blocks, shown))
            )
        outside = [appointment for appointment in store.all(Appointment) if appointment.from_outside]
        latest = [(to_local(each.start, zone), _booked(each, names, zone)) for each in outside[-LATEST_FROM_OUTSIDE:]]
        closed = [holiday.name for holiday in store.all(Holiday) if holiday.first_day <= shown <= holiday.last_day]
    return _pages.get_template("day.html").render(
        practice=practice.name,
        shown=shown,
        today=today,
        before=shown - timedelta(days=1),
        after=shown + timedelta(days=1),
        group=group,
        groups=list(GROUPS),
        sheet=sheet,
        hours=[(hour, (hour * 60) - DAY_STARTS) for hour in range(DAY_STARTS // 60, DAY_ENDS // 60)],
        total=DAY_ENDS - DAY_STARTS,
        closed=closed,
        latest=latest[::-1],
    )


class _Names:
    """What people call the ids on the sheet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._types = {type_.id: type_.name for type_ in store.all(VisitType)}
        self._columns = {column.id: column.label for column in store.all(Column)}

    def type(self, id_: str | None) -> str:
        return self._types.get(id_ or "", "Appointment")

    def columns(self, ids: list[str]) -> str:
        return ", ".join(self._columns.get(id_, id_) for id_ in ids)

    def patient(self, id_: str | None) -> str:
        patient = self._store.get(Patient, id_) if id_ else None
        return f"{patient.name} ({patient.species})" if patient else "No patient"

    def client(self, id_: str | None) -> str:
        client = self._store.get(Client, id_) if id_ else None
        return f"{client.first_name} {client.last_name}" if client else "No client"


def _booked(appointment: Appointment, names: _Names, zone: ZoneInfo) -> Entry:
    look = "free" if appointment.state in FREE_STATES else "outside" if appointment.from_outside else "own"
    return Entry(
        begin=to_local(appointment.start, zone),
        end=to_local(appointment.end, zone),
        look=look,
        title=f"{names.patient(appointment.patient_id)} · {names.client(appointment.client_id)}",
        lines=(
            f"{names.type(appointment.type_id)} · {appointment.state.replace('_', ' ')}",
            appointment.note,
            names.columns(appointment.columns),
        ),
    )


def _blocked(column: Column, blocks: list[Block], shown: date) -> list[Entry]:
    return [
        Entry(begin=begin, end=end, look="blocked", title=block.reason or "Blocked", lines=())
        for block in blocks
        if block.column == column.id
        for begin, end in happenings(block.time, shown, shown)
    ]


def _hours(column: Column, shown: date) -> str:
    if column.hours is None:
        return "open with the practice"
    return ", ".join(f"{begin:%H:%M} to {end:%H:%M}" for begin, end in opened(column, shown, shown)) or "off"


def _side_by_side(entries: list[Entry]) -> list[Entry]:
    """Give entries that overlap lanes of their own."""
    placed: list[Entry] = []
    for entry in entries:
        over = [other for other in entries if other.begin < entry.end and entry.begin < other.end]
        lane = next(index for index, other in enumerate(over) if other is entry)
        placed.append(replace(entry, lane=lane, lanes=len(over)))
    return placed


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute
