"""Elm Corner and its PIMS as two sides that both edit one schedule: a PIMS that lists, forgets, repeats and breaks off.

`TwoSides` does what happens on either side, and a cycle of write-back, sync and listing by a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from booking.book import KnownClient, KnownPatient
from booking.change import BookingUnknown, NoLongerChangeable, cancel, confirm, reschedule
from booking.db import connections, staff_tasks
from booking.db.connections import Connection
from booking.db.drift import DriftReport
from booking.db.feeds import Feed
from booking.db.holds import Wish
from booking.db.pool import Pool, across_practices
from booking.db.staff_tasks import StaffTask
from booking.offers import slots_between, wished_types
from booking.site import Site
from booking.staff_book import StaffBooked, StaffBooking, book_for_client
from booking.sync import Synced, sync
from booking.sync.apply import kind_of
from booking.sync.drift import compare
from booking.sync.mirror import MOST_LOST, Bound
from booking.sync.pages import known_feeds
from booking.sync.silence import list_feed
from booking.write_back import deliver_due
from pims_adapters import contract as pims
from tests.booking.api.elm_corner import COLUMNS, DAYS, MORNING, OPENS, SAM, ZONE, ElmCorner, open_elm_corner
from tests.booking.api.tiny_pims import PAGE, TinyPims

SITE = Site(public_url="https://book.example", secret_key=b"a key of thirty-two bytes or more")
MINUTE = timedelta(minutes=1)
STAFF = UUID(int=7)


class ClinicPims(TinyPims):
    """Keeps everything, tells it in three feeds, lists it, and does wrong what is named in `faults`, once each."""

    feeds: tuple[pims.Feed, ...] = (
        pims.Feed(name="schedule", kinds=("appointment", "blockoff")),
        pims.Feed(name="people", kinds=("client", "patient", "vaccination", "reminder"), every=timedelta(minutes=5)),
        pims.Feed(name="set-up", kinds=("resource", "appointmenttype", "planningrule", "closure"), at="03:00"),
    )

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._all: dict[tuple[pims.RecordKind, str], pims.Change] = {}
        self._records = self._all  # type: ignore[assignment]  # more kinds than it knows
        self._clock = clock
        self._began: dict[str, int] = {}
        self._told: list[pims.Change] = []
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.down: set[str] = set()
        self.keeps_markers = True

    def put(self, *records: pims.Change) -> None:
        """Keep records as they stand now."""
        for record in records:
            self._put(record)

    def _put(self, record: Any) -> None:  # noqa: ANN401 - any record
        if not self.keeps_markers and getattr(record, "marker", None) is not None:
            record = msgspec.structs.replace(record, marker=None)
        self._all[kind_of(record), record.pims_id] = record
        self._log.append(record)

    def get(self, kind: pims.RecordKind, pims_id: str) -> Any:  # noqa: ANN401 - any record
        return self._all[kind, pims_id]

    def of(self, kind: pims.RecordKind) -> list[Any]:
        """Return the records of a kind, in the order in which they came."""
        return [one for (of, _), one in self._all.items() if of == kind]

    def delete(self, kind: pims.RecordKind, pims_id: str) -> None:
        """Delete a record, and say so."""
        self.lose(kind, pims_id)
        self._log.append(pims.Gone(of=kind, pims_id=pims_id))

    def lose(self, kind: pims.RecordKind, pims_id: str) -> None:
        """Delete a record without a word."""
        del self._all[kind, pims_id]

    def merge(self, of: Any, pims_id: str, into: str) -> None:  # noqa: ANN401 - client or patient
        """Join one client or patient into another, as staff do."""
        self.lose(of, pims_id)
        for record in [*self._all.values()]:
            if getattr(record, of, None) == pims_id:
                self.put(msgspec.structs.replace(record, **{of: into}))
        self._log.append(pims.Merged(of=of, pims_id=pims_id, into=into))

    def forget_log(self) -> None:
        """Let every cursor expire: what is told from the beginning is what stands."""
        self._log = [*self._all.values()]
        self._began = {feed.name: self._began.get(feed.name, 0) + 1 for feed in self.feeds}

    async def changes(self, feed: str, cursor: str | None) -> pims.ChangePage:
        """Return the next few changes, unless something is wrong."""
        self.asked.append(feed)
        if feed in self.down:
            raise pims.PimsUnavailable(f"No answer to {feed}.", outcome_unknown=False)
        era, _, at = (cursor or f"{self._began.get(feed, 0)}/0").partition("/")
        if int(era) != self._began.get(feed, 0):
            raise pims.CursorExpired("The log was cut.")
        kinds = next(one.kinds for one in self.feeds if one.name == feed)
        log = [one for one in self._log if kind_of(one) in kinds]
        since, until = int(at), min(int(at) + PAGE, len(log))
        rows, as_of = log[since:until], self._clock()
        fault = self._fault("half page", "duplicate page", "older rows", "breaks off") if rows else None
        if fault == "breaks off":
            raise pims.PimsUnavailable("The answer broke off.", outcome_unknown=False)
        if fault == "half page":
            rows = rows[: len(rows) // 2]
        if fault == "duplicate page" and since:
            return pims.ChangePage(changes=log[max(since - PAGE, 0) : since], cursor=f"{era}/{since}", more=True,
                                   as_of=as_of - MINUTE)  # fmt: skip
        if fault == "older rows":
            rows = rows + rows[::-1]
        return pims.ChangePage(changes=rows, cursor=f"{era}/{until}", more=until < len(log), as_of=as_of)

    async def listing(self, kind: pims.RecordKind, first: date, last: date) -> pims.Listing:
        """Return everything of a kind, of some days where it is of the schedule, unless something is wrong."""
        records = [one for one in self.of(kind) if _touches(one, first, last)]
        fault = self._fault("listing breaks off", "half listing")
        if fault is not None:
            records = records[: len(records) // 2]
        return pims.Listing(records=records, complete=fault != "listing breaks off", as_of=self._clock())

    def _fault(self, *names: str) -> str | None:
        for one in names:
            if one in self.faults:
                self.faults.remove(one)
                return one
        return None


def _touches(record: pims.Change, first: date, last: date) -> bool:
    zone = ZoneInfo(ZONE)
    start = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    if isinstance(record, pims.Appointment):
        return record.start < end and record.end > start
    if isinstance(record, pims.BlockOff):
        begins = record.time.starts.replace(tzinfo=zone).astimezone(UTC)
        return begins < end and begins + record.time.duration > start
    return True


@dataclass
class TwoSides:
    """What happens on either side, and in between. `now` moves only when it is told to."""

    pool: Pool
    elm: ElmCorner
    now: datetime
    bound: Bound | None = MOST_LOST
    there: ClinicPims = field(init=False)
    references: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give the practice its PIMS, which has what Elm Corner begins with."""
        self.there = ClinicPims(self.clock)
        starts = datetime.combine(self.elm.first_day, time()) + OPENS
        mornings = (pims.RecurringTime(starts=starts, duration=MORNING, rrule=f"FREQ=DAILY;COUNT={DAYS}"),)
        for name in COLUMNS:
            kind = "room" if name == "room" else "provider"
            self.there.put(pims.Resource(pims_id=name, name=name, resource_kind=kind, hours=mornings))  # type: ignore[arg-type]
        for name in self.elm.types:
            self.there.put(pims.AppointmentType(pims_id=name, name=name, duration=timedelta(minutes=30)))
        self.there.put(
            pims.Client(pims_id="sam", given_name="Sam", family_name="Field", emails=(SAM.value,)),
            pims.Patient(pims_id="bo", client="sam", name="Bo", species="dog"),
        )

    def clock(self) -> datetime:
        return self.now

    def at(self, day: int, minutes: int) -> datetime:
        return self.elm.at(day, minutes)

    # Between the two.

    async def connection(self) -> Connection:
        async with across_practices(self.pool) as conn:
            found = await connections.connection_of(conn, self.elm.practice.practice_id)
        assert found is not None
        return found

    async def sync(self, adapter: ClinicPims | None = None) -> Synced:
        return await sync(
            self.pool, adapter or self.there, await self.connection(), clock=self.clock, site=SITE, bound=self.bound
        )

    async def feeds(self) -> dict[str, Feed]:
        return {one.name: one for one in await known_feeds(self.pool, self.there, await self.connection(), self.now)}

    async def list_all(self, name: str = "near listing", adapter: ClinicPims | None = None) -> bool:
        feed = (await self.feeds())[name]
        return await list_feed(self.pool, adapter or self.there, feed, clock=self.clock, site=SITE, bound=self.bound)

    async def deliver(self) -> None:
        await deliver_due(self.pool, self.there, self.elm.practice.practice_id, clock=self.clock, site=SITE)

    async def cycle(self, minutes: int = 11) -> None:
        """Let one round of everything pass: write back, read, list."""
        self.now += minutes * MINUTE
        await self.deliver()
        await self.sync()
        await self.list_all()
        await self.list_all("far listing")

    async def drift(self) -> DriftReport:
        first = self.elm.first_day - timedelta(days=3)
        last = first + timedelta(days=20)
        return await compare(self.pool, self.there, await self.connection(), first, last, clock=self.clock)

    # Our side.

    async def book(self, type_: str = "exam", nth: int = 0) -> str:
        """Let our staff book a time that is free; its reference, empty where nothing is free."""
        slots = await self.free(type_)
        if not slots:
            return ""
        booking = StaffBooking(
            appointment_type_id=self.elm.types[type_],
            start=slots[nth % len(slots)],
            client=KnownClient(client_id=self.elm.sam),
            patients=(KnownPatient(patient_id=self.elm.bo),),
            tell=True,
        )
        done = await book_for_client(
            self.pool, self.elm.practice, booking, key=str(uuid4()), actor=STAFF, site=SITE, now=self.now
        )
        assert isinstance(done, StaffBooked)
        self.references.append(done.appointments[0].reference)
        return self.references[-1]

    async def free(self, type_: str = "exam") -> list[datetime]:
        wish = Wish(appointment_type_id=self.elm.types[type_], patients=("dog",), new_client=False, by_staff=True)
        async with across_practices(self.pool) as conn:
            types = await wished_types(conn, self.elm.practice, wish)
        slots = await slots_between(
            self.pool, self.elm.practice, types, wish, self.at(0, 0), self.at(DAYS, 0), now=self.now, own=()
        )
        return [one.start for one in slots]

    async def change(self, reference: str, what: str, nth: int = 0) -> None:
        """Move, cancel or confirm a booking, where that can still be done."""
        practice = self.elm.practice
        try:
            if what == "move":
                slots = await self.free()
                if slots:
                    start = slots[nth % len(slots)]
                    await reschedule(self.pool, practice, reference, start, by="staff", site=SITE, now=self.now)
            elif what == "cancel":
                await cancel(self.pool, practice, reference, by="staff", site=SITE, now=self.now)
            else:
                await confirm(self.pool, practice, reference, now=self.now)
        except (NoLongerChangeable, BookingUnknown):
            return

    # What stands.

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with across_practices(self.pool) as conn:
            return await conn.fetch(query, *arguments)

    async def execute(self, statement: str) -> None:
        async with across_practices(self.pool) as conn:
            await conn.execute(statement)

    async def ours(self, reference: str) -> asyncpg.Record:
        """Return a booking: how it stands, and the names of the resources it claims."""
        (row,) = await self.rows(
            """SELECT a.*, ARRAY(SELECT DISTINCT r.name FROM claim k JOIN resource r USING (practice_id, resource_id)
                 WHERE k.appointment_id = a.appointment_id ORDER BY 1) AS takes
               FROM appointment a WHERE reference = $1""",
            reference,
        )
        return row

    async def theirs(self, pims_id: str) -> asyncpg.Record | None:
        found = await self.rows(
            """SELECT a.*, ARRAY(SELECT DISTINCT r.name FROM claim k JOIN resource r USING (practice_id, resource_id)
                 WHERE k.appointment_id = a.appointment_id ORDER BY 1) AS takes
               FROM appointment a WHERE pims_id = $1""",
            pims_id,
        )
        return found[0] if found else None

    async def written(self, reference: str) -> pims.Appointment:
        """Return a booking of ours as the PIMS has it."""
        row = await self.ours(reference)
        found: pims.Appointment = self.there.get("appointment", row["pims_id"])
        return found

    async def tasks(self) -> list[StaffTask]:
        async with across_practices(self.pool) as conn:
            return await staff_tasks.open_tasks(conn, self.elm.practice.practice_id, before=2**62, limit=100)

    async def messages(self) -> list[str]:
        """Return what clients were told beyond that they are booked."""
        found = await self.rows("SELECT purpose FROM message WHERE purpose <> 'booked' ORDER BY position")
        return [row["purpose"] for row in found]

    def staff_book(self, day: int, minutes: int, *columns: str, **more: object) -> str:
        """Let the PIMS's staff book; its pims_id."""
        pims_id = self.there._next()  # noqa: SLF001 - one of its own numbers
        start = self.at(day, minutes)
        self.there.put(
            pims.Appointment(pims_id=pims_id, start=start, end=start + 30 * MINUTE, resources=columns, **more)  # type: ignore[arg-type]
        )
        return pims_id

    def staff_change(self, pims_id: str, **changed: object) -> None:
        self.there.put(msgspec.structs.replace(self.there.get("appointment", pims_id), **changed))


async def open_two_sides(pool: Pool, *, number: int = 1, bound: Bound | None = MOST_LOST) -> TwoSides:
    """Open Elm Corner with its PIMS, read once."""
    elm = await open_elm_corner(pool, number)
    sides = TwoSides(pool=pool, elm=elm, now=datetime.now(UTC).replace(microsecond=0), bound=bound)
    await sides.sync()
    return sides
