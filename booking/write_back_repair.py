"""Repair: what becomes of a visit whose time somebody in the PIMS was given, before ours came there.

Others who can serve it at the same time take it over; the client is told only where they had asked for somebody. Where
there is nobody else, staff and client are told with other times, and the visit stands until one of them decides.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.claims import NotFree, claim
from booking.db import changes, clients, practices, repairs
from booking.db.changes import Visit
from booking.db.claims import Holder
from booking.db.holds import Wish
from booking.db.messages import queue_message
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.write_backs import WriteBack, wake_workers
from booking.local_days import spoken_time
from booking.messages import named, no_longer_free_message, served_by_message
from booking.offers import NotBookableOnline, OfferedSlot, alternatives, wished_types
from booking.site import Site
from booking.spoken import listed
from booking.standing import standing
from booking.tokens import manage_token
from booking.visits import read_booking

MOST_REPAIRS = 3
MOST_TIMES = 3
OPEN = ("booked", "confirmed")


class Repaired(Struct, frozen=True, kw_only=True):
    """Others serve the visit at its time: the line can be sent again. `reason` says who."""

    reason: str


class Beyond(Struct, frozen=True, kw_only=True):
    """Nobody else can. `reason`: what staff read; `told`: the client was told with this."""

    reason: str
    told: bool


async def repair(pool: Pool, leased: WriteBack, refusal: str, *, site: Site, now: datetime) -> Repaired | Beyond:
    """Find others for a visit whose time is taken in the PIMS, or tell everybody with what else there is."""
    practice_id = leased.practice_id
    async with of_practice(pool, practice_id) as conn:
        practice = await practices.practice_by_id(conn, practice_id)
        reference = await changes.reference_of(conn, practice_id, leased.appointment_id)
    if practice is None or reference is None:
        return Beyond(reason=refusal, told=False)
    if leased.repairs < MOST_REPAIRS:
        async with of_practice(pool, practice_id) as conn, conn.transaction():
            served = await _find_others(conn, practice, reference, leased.appointment_id, site, now)
        if served is not None:
            return Repaired(reason=f"{refusal.rstrip('.')}. {served} now has the visit, and it is sent again.")
    return await _tell(pool, practice, leased, reference, refusal, site, now)


async def _find_others(
    conn: Connection, practice: Practice, reference: str, appointment_id: UUID, site: Site, now: datetime
) -> str | None:
    """Let others serve the visit, chosen by the same claim as ever; their names, or None where there are none."""
    visit = await _visit(conn, practice, reference, appointment_id)
    if visit is None or visit.status not in OPEN or visit.starts_at <= now:
        return None
    # Nobody knows which of them the PIMS meant: first all are taken to be, then the people alone.
    for which in ("all", "people"):
        try:
            async with conn.transaction():
                return await _claim_anew(conn, practice, visit, which, site, now)
        except _NobodyElseError:
            continue
    return None


class _NobodyElseError(Exception):
    """Rolls back to where the visit has what it had."""


async def _claim_anew(conn: Connection, practice: Practice, visit: Visit, which: str, site: Site, now: datetime) -> str:
    """Claim other resources while those that are taken in the PIMS stay claimed. Raises `_NobodyElseError`."""
    practice_id = practice.practice_id
    wish = await _wish(conn, practice, visit)
    try:
        types = await wished_types(conn, practice, wish)
    except NotBookableOnline:
        raise _NobodyElseError from None
    taken = await repairs.set_aside(conn, practice_id, visit.appointment_id, people_only=which == "people")
    holder = Holder(appointment_id=visit.appointment_id)
    claimed = await claim(
        conn, practice, types, wish, visit.starts_at, now=now, holders=[holder], prefer=visit.resources
    )
    if isinstance(claimed, NotFree) or claimed.ends_at != visit.ends_at:
        raise _NobodyElseError
    others = {UUID(one) for ids in claimed.resources.values() for one in ids}
    people = await repairs.people_among(conn, practice_id, taken.resource_ids)
    if people & others:
        raise _NobodyElseError
    await repairs.give_back(conn, practice_id, taken.claim_ids)
    await repairs.set_served_by(conn, practice_id, visit.appointment_id, claimed.resources, visit.status)
    serving = [one for one in (await standing(conn, practice_id)).resources if one.resource_id in others]
    if visit.provider_id is not None and visit.provider_id not in others:
        providers = listed([one.name for one in serving if one.kind == "provider"])
        await _tell_who(conn, practice, visit, providers, site, now)
    return listed([one.name for one in serving])


async def _wish(conn: Connection, practice: Practice, visit: Visit) -> Wish:
    patients = await clients.patients_by_id(conn, practice.practice_id, [visit.patient_id])
    species = tuple(one.species for one in patients.values())
    return Wish(
        appointment_type_id=visit.appointment_type_id, patients=species, new_client=visit.new_client, by_staff=True
    )


async def _visit(conn: Connection, practice: Practice, reference: str, appointment_id: UUID) -> Visit | None:
    visits = await changes.lock_booking(conn, practice.practice_id, reference)
    return next((one for one in visits if one.appointment_id == appointment_id), None)


async def _tell_who(conn: Connection, practice: Practice, visit: Visit, served: str, site: Site, now: datetime) -> None:
    """Tell a client who asked for somebody by name that somebody else serves them."""
    if visit.contact is None:
        return
    names = (await read_booking(conn, practice, (visit,))).patient_names
    link = await _link(conn, practice, visit.reference, site)
    await queue_message(conn, served_by_message(practice, visit.contact, visit, names, served, link), now)
    await wake_workers(conn, "message")


async def _tell(
    pool: Pool, practice: Practice, leased: WriteBack, reference: str, refusal: str, site: Site, now: datetime
) -> Beyond:
    """Tell staff, and the client once, that the time is not there, with those nearest to it."""
    practice_id = practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        visit = await _visit(conn, practice, reference, leased.appointment_id)
        wish = None if visit is None else await _wish(conn, practice, visit)
    if visit is None or wish is None:
        return Beyond(reason=refusal, told=False)
    times = [] if visit.starts_at <= now else await _other_times(pool, practice, wish, visit, now)
    spoken = [spoken_time(one.start, practice.timezone) for one in times]
    instead = f" Free: {'; '.join(spoken)}." if spoken else ""
    told = leased.told_at is None and visit.contact is not None and visit.status in OPEN and visit.starts_at > now
    if told and visit.contact is not None:
        async with of_practice(pool, practice_id) as conn, conn.transaction():
            names = (await read_booking(conn, practice, (visit,))).patient_names
            link = await _link(conn, practice, reference, site)
            message = no_longer_free_message(practice, visit.contact, visit, named(names), spoken, link)
            await queue_message(conn, message, now)
            await wake_workers(conn, "message")
    knows = "The client was told." if told or leased.told_at else "Please call the client."
    reason = (
        f"{refusal.rstrip('.')}. Nobody else is free then. The visit stands with us: move it, or enter it in the PIMS"
        f" beside the other. {knows}{instead}"
    )
    return Beyond(reason=reason, told=told)


async def _other_times(pool: Pool, practice: Practice, wish: Wish, visit: Visit, now: datetime) -> list[OfferedSlot]:
    asked = Wish(
        appointment_type_id=wish.appointment_type_id,
        patients=wish.patients,
        new_client=wish.new_client,
        provider_id=visit.provider_id,
    )
    try:
        return await alternatives(pool, practice, asked, visit.starts_at, now=now, most=MOST_TIMES)
    except NotBookableOnline:
        return []


async def _link(conn: Connection, practice: Practice, reference: str, site: Site) -> str:
    visits = await changes.lock_booking(conn, practice.practice_id, reference)
    token = manage_token(site.secret_key, practice.practice_id, visits[0].appointment_id)
    return f"{site.public_url}/visit/{practice.slug}/{token}"
