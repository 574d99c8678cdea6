"""Appointments as the PIMS has them, and what they take: double bookings included, since they stand there.

Of an appointment that is changed on both sides the last change counts, thing by thing: how it stands, when and with
whom, and each of its words. What the PIMS only repeats (`said`, what it said before) is no change. Whoever is told
nothing here hears of it from `gone` and `silence`.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from msgspec import Struct

from availability import Occupied
from booking.claims import take
from booking.connect.mapping import outside
from booking.db import claims, mirrored_appointments, staff_tasks
from booking.db.appointments import Status
from booking.db.claims import Holder
from booking.db.mirror import Said, said
from booking.db.mirrored_appointments import Followed, Mirrored
from booking.db.pool import Connection
from booking.local_days import days_touched, spoken_time
from booking.sync.mirror import Mirror
from booking.sync.ours import Recognized
from booking.sync.told import Fact, What
from pims_adapters import contract as pims

FREES_ITS_TIME = ("cancelled", "no_show")
OURS_TO_NOTE = ("confirmed", "arrived", "fulfilled", "no_show")


class Put(Struct, frozen=True, kw_only=True):
    """What came of it: whether anything changed, and what is new of appointments of ours."""

    changed: bool
    facts: list[Fact]


class Stands(Struct, frozen=True, kw_only=True):
    """How an appointment is to stand with us, and whose time it uses."""

    status: Status
    starts_at: datetime
    ends_at: datetime
    uses: frozenset[UUID]

    @property
    def busy(self) -> frozenset[UUID]:
        """Whose time it takes."""
        return frozenset() if self.status in FREES_ITS_TIME else self.uses


async def put_appointments(
    conn: Connection,
    mirror: Mirror,
    records: list[pims.Appointment],
    resource_ids: dict[str, UUID],
    recognized: Recognized,
) -> Put:
    """Mirror appointments; one that did not change keeps its claims. Their rows are locked already."""
    practice_id = mirror.practice_id
    if not records:
        return Put(changed=False, facts=[])
    days = {day for one in records for day in days_touched(one.start, one.end, mirror.practice.timezone)}
    await claims.lock_days(conn, practice_id, days)
    known = await mirrored_appointments.mirrored(conn, practice_id, [one.pims_id for one in records])
    facts: list[Fact] = []
    added: list[tuple[UUID, pims.Appointment]] = []
    takes: list[tuple[Holder, Occupied]] = []
    changed = False
    for record in records:
        ours = known.get(record.pims_id)
        if ours is not None and another_appointment(ours, record, recognized):
            await _let_go(conn, mirror, ours)
            ours = None
        uses = frozenset(resource_ids[one] for one in record.resources if one in resource_ids)
        if ours is None:
            if outside(record, mirror.window, mirror.now):
                continue
            appointment_id = uuid4()
            added.append((appointment_id, record))
            stands = Stands(status=said(record).status, starts_at=record.start, ends_at=record.end, uses=uses)
        else:
            appointment_id = ours.appointment_id
            stands = merged(ours, said(record), uses, resource_ids)
            changed = await _follow(conn, mirror, ours, said(record), stands) or changed
            facts += _facts(ours, stands)
            same_span = (ours.starts_at, ours.ends_at) == (stands.starts_at, stands.ends_at)
            if same_span and set(ours.claimed) == stands.busy:
                continue
            changed = True
            if stands.busy:
                serving = {"resource": sorted(map(str, stands.uses))}
                await mirrored_appointments.set_resources(conn, practice_id, appointment_id, serving)
            await claims.free_appointment(conn, practice_id, appointment_id)
        holder = Holder(appointment_id=appointment_id)
        takes += [
            (holder, Occupied(resource=str(one), start=stands.starts_at, end=stands.ends_at))
            for one in sorted(stands.busy)
        ]
    await mirrored_appointments.insert_from_pims(conn, practice_id, added, mirror.now)
    await take(conn, mirror.practice, takes)
    return Put(changed=changed or bool(added), facts=facts)


async def not_settled(
    conn: Connection, practice_id: UUID, records: list[pims.Appointment], resource_ids: dict[str, UUID]
) -> list[pims.Appointment]:
    """Return the appointments that are not, word for word, as we have them: only these need locks.

    What is only repeated stays no news, whoever changes it with us meanwhile.
    """
    if not records:
        return []
    known = await mirrored_appointments.mirrored(conn, practice_id, [one.pims_id for one in records])
    return [one for one in records if not is_settled(known.get(one.pims_id), one, resource_ids)]


def is_settled(ours: Mirrored | None, record: pims.Appointment, resource_ids: dict[str, UUID]) -> bool:
    """Say whether an appointment stands with us as the PIMS says and has said before, or otherwise for good reason."""
    theirs = said(record)
    if ours is None or ours.said != theirs:
        return False
    uses = frozenset(resource_ids[one] for one in record.resources if one in resource_ids)
    stands = merged(ours, theirs, uses, resource_ids)
    return (stands.status, stands.starts_at, stands.ends_at, stands.busy) == (
        ours.status,
        ours.starts_at,
        ours.ends_at,
        frozenset(ours.claimed),
    )


def merged(ours: Mirrored, theirs: Said, uses: frozenset[UUID], columns: dict[str, UUID]) -> Stands:
    """Return how an appointment is to stand: what is news in the PIMS, and else as it stands with us.

    While a change of ours is on its way there (`ahead`), what the PIMS repeats is from before it. Without one the PIMS
    is right anyway; only what was noted of a visit with us stands until the PIMS says something else than before.
    """
    base = ours.said
    noted = ours.status in OURS_TO_NOTE
    repeats_status = base is not None and base.status == theirs.status
    keeps_status = (repeats_status and (ours.ahead or noted)) or (base is None and ours.ahead)
    repeats_time = base is None or _time(base) == _time(theirs)
    if ours.ahead and repeats_time:
        starts_at, ends_at, uses = ours.starts_at, ours.ends_at, _held(ours)
    else:
        starts_at, ends_at, uses = theirs.start, theirs.end, _served_by(ours, uses, columns)
    status = ours.status if keeps_status else theirs.status
    return Stands(status=status, starts_at=starts_at, ends_at=ends_at, uses=uses)


def _time(said: Said) -> tuple[object, ...]:
    return said.start, said.end, said.resources


def _held(ours: Mirrored) -> frozenset[UUID]:
    """Return whose time an appointment takes, or took while it stood."""
    return frozenset(ours.claimed or {UUID(one) for ids in ours.serving.values() for one in ids})


def _served_by(ours: Mirrored, uses: frozenset[UUID], columns: dict[str, UUID]) -> frozenset[UUID]:
    """Return whose time an appointment uses that stands in the PIMS with `uses`.

    Of one that was booked with us the PIMS may hold only a part: it has no column for some of ours, or takes only one
    of several. What it never had it cannot have taken away.
    """
    if ours.source == "pims":
        return uses
    held = _held(ours)
    without_column = held - set(columns.values())
    base = None if ours.said is None else {columns[one] for one in ours.said.resources if one in columns}
    if uses <= held and (base is None or base == uses):
        return held
    never_there = held - base if base is not None and base <= held else without_column
    return uses | never_there | without_column


async def _follow(conn: Connection, mirror: Mirror, ours: Mirrored, theirs: Said, stands: Stands) -> bool:
    """Write what is new of an appointment; whether anything was."""
    base = ours.said
    moved = (ours.starts_at, ours.ends_at) != (stands.starts_at, stands.ends_at)
    # Words that the PIMS repeats, or shows for the first time of what we wrote, may be ours cut short.
    words = {}
    for field in ("description", "appointment_type", "client", "patient"):
        told, before = getattr(theirs, field), None if base is None else getattr(base, field)
        first_sight = base is None and ours.source != "pims"
        news = not first_sight and told != before and told is not None
        words[field] = told if news else getattr(ours, field)
    same_words = all(words[field] == getattr(ours, field) for field in words)
    if not moved and same_words and stands.status == ours.status and base == theirs:
        return False
    ends = stands.status != ours.status and "cancelled" in (stands.status, ours.status)
    followed = Followed(
        status=stands.status,
        starts_at=stands.starts_at,
        ends_at=stands.ends_at,
        description=str(words["description"]),
        appointment_type=words["appointment_type"],
        client=words["client"],
        patient=words["patient"],
        said=theirs,
        raise_sequence=moved or ends,
    )
    await mirrored_appointments.follow_pims(conn, mirror.practice_id, ours.appointment_id, followed)
    if (theirs.status, theirs.start, theirs.end) == (stands.status, stands.starts_at, stands.ends_at):
        await mirrored_appointments.followed_by_hand(conn, mirror.practice_id, ours.appointment_id, mirror.now)
    return True


def _facts(ours: Mirrored, stands: Stands) -> list[Fact]:
    """Return what is new of an appointment that was booked with us."""
    if ours.source == "pims" or ours.reference is None:
        return []
    what: list[What] = []
    if stands.status == "cancelled" != ours.status:
        what.append("cancelled")
    elif stands.busy and (ours.status == "cancelled" or ours.starts_at != stands.starts_at):
        what.append("rescheduled")
    elif ours.ends_at != stands.ends_at or set(ours.claimed) != stands.busy:
        what.append("served_otherwise")
    if stands.status == "confirmed" and ours.status == "booked":
        what.append("confirmed")
    return [
        Fact(what=one, reference=ours.reference, appointment_id=ours.appointment_id, was=ours.starts_at) for one in what
    ]


def another_appointment(ours: Mirrored, record: pims.Appointment, recognized: Recognized) -> bool:
    """Say whether an identifier that names a booking of ours now names somebody else's appointment.

    So it is after the PIMS's data was restored from a backup: numbers that were given since are given again.
    """
    if ours.source == "pims" or recognized.get(("appointment", record.pims_id)) == ours.appointment_id:
        return False
    of_others = None not in (record.client, record.patient) and (record.client, record.patient) != (
        ours.client,
        ours.patient,
    )
    whom = of_others and record.client != ours.client and record.patient != ours.patient
    said_before = ours.said is not None and (ours.said.client, ours.said.patient) == (record.client, record.patient)
    return whom and not said_before and record.start.astimezone(ours.starts_at.tzinfo) != ours.starts_at


async def _let_go(conn: Connection, mirror: Mirror, ours: Mirrored) -> None:
    """Keep a booking whose number in the PIMS names another appointment now, and ask staff to look."""
    await mirrored_appointments.unlink(conn, mirror.practice_id, ours.appointment_id)
    when = spoken_time(ours.starts_at, mirror.practice.timezone)
    await staff_tasks.open_task(
        conn,
        mirror.practice_id,
        "another_record",
        f"appointment {ours.pims_id}",
        f"Booking {ours.reference} ({when}) is no longer in the PIMS under number {ours.pims_id}, which now is another"
        " appointment, as after its data was restored. The booking stands with us: please enter it there again.",
        mirror.now,
        appointment_id=ours.appointment_id,
    )
