"""Riverside Animal Hospital as it is set up with vetslot: its connection, who can do what, and what may be booked.

Everything else (people, rooms, hours, block-offs, clients, appointments) lives in the demo PIMS and comes by sync.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from availability import Grid
from booking.db import appointment_types, connections, mirror, practices, staff
from booking.db.appointment_types import AppointmentType, Audience, Mode, RoleNeed, TypeStep
from booking.db.connections import Connection
from booking.db.pool import Pool, across_practices, connect, of_practice
from booking.db.practices import Practice
from booking.db.staff import Staff
from booking.sign_in import hash_password
from booking.sync import sync
from pims_adapters import open_adapter

STAFF_EMAIL = "demo@riverside.example"
STAFF_PASSWORD = "riverside-demo"  # noqa: S105 - printed by `make demo`, guards a made-up practice on this machine
PRACTICE_ID = uuid5(NAMESPACE_DNS, "riverside.example")
CONNECTION_ID = uuid5(PRACTICE_ID, "demo PIMS")
NOT_KNOWN_YET = UUID(int=0)

RIVERSIDE = Practice(
    practice_id=PRACTICE_ID,
    slug="riverside",
    name="Riverside Animal Hospital",
    timezone="America/New_York",
    region="US",
    phone="(518) 555-0142",
    email="front@riverside.example",
    emergency_text="If your pet is in danger now, do not book: call Capital Pet ER, (518) 555-0199.",
    address="410 River Road, Albany, NY 12207",
    languages=["en"],
    allowed_origins=[],
    who_may_book="everyone",
    hours=(),
    hold_for=timedelta(minutes=10),
    freshness_limit=timedelta(minutes=15),
    stale_notice=timedelta(hours=48),
)

VETERINARIAN, EXOTICS, SURGEON = "veterinarian", "exotics veterinarian", "surgeon"
TECHNICIAN, ROOM, DENTAL_SUITE, ULTRASOUND = "technician", "exam room", "dental suite", "ultrasound machine"
ROLES = {
    "prov-lee": [VETERINARIAN],
    "prov-okafor": [VETERINARIAN],
    "prov-martinez": [VETERINARIAN],
    "prov-nguyen": [EXOTICS],
    "prov-rossi": [VETERINARIAN, SURGEON],
    "prov-bennett": [VETERINARIAN],
    "tech-alvarez": [TECHNICIAN],
    "tech-brooks": [TECHNICIAN],
    "tech-chen": [TECHNICIAN],
    "tech-dubois": [TECHNICIAN],
    **{f"room-{number}": [ROOM] for number in range(1, 6)},
    "room-dental": [DENTAL_SUITE],
    "equip-ultrasound": [ULTRASOUND],
}

DOGS_AND_CATS = ["dog", "cat"]
SMALL_ONES = ["rabbit", "bird", "reptile"]
QUARTERS = Grid(every=timedelta(minutes=15))


def offered(  # noqa: PLR0913 - whatever differs from one type to the next
    pims_id: str,
    name: str,
    category: str,
    minutes: int,
    needs: list[str],
    description: str,
    *,
    species: list[str] = DOGS_AND_CATS,
    who: Audience = "everyone",
    mode: Mode = "instant",
    grid: Grid = QUARTERS,
    notice_hours: int = 2,
    max_per_day: int | None = None,
) -> AppointmentType:
    """Describe a type that may be booked online: one step that needs one of each role."""
    step = TypeStep(duration=timedelta(minutes=minutes), needs=tuple(RoleNeed(role=role) for role in needs))
    return AppointmentType(
        appointment_type_id=NOT_KNOWN_YET,
        pims_id=pims_id,
        pims_name=name,
        name=name,
        description=description,
        category=category,
        species=species,
        steps=(step,) if needs else (),
        grid=grid,
        buffer_before=timedelta(),
        buffer_after=timedelta(),
        bookable_online=True,
        mode=mode,
        who_may_book=who,
        notice=timedelta(hours=notice_hours),
        horizon=timedelta(days=60),
        max_per_day=max_per_day,
    )


EXAM = [VETERINARIAN, ROOM]
# In the order in which clients see them.
OFFERED = [
    offered(
        "type-wellness", "Wellness exam", "Checkups", 30, EXAM, "A yearly checkup, nose to tail, with time to ask."
    ),
    offered(
        "type-new-client",
        "First visit",
        "Checkups",
        45,
        EXAM,
        "A longer first checkup to get to know you and your pet.",
        who="new",
    ),
    offered(
        "type-puppy-kitten",
        "Puppy or kitten visit",
        "Checkups",
        30,
        EXAM,
        "One visit of the first-year series: checkup, vaccines, advice.",
    ),
    offered(
        "type-exotics",
        "Exotics exam",
        "Checkups",
        40,
        [EXOTICS, ROOM],
        "A checkup for rabbits, birds and reptiles with Dr. Nguyen.",
        species=SMALL_ONES,
    ),
    offered(
        "type-sick", "Sick visit", "Not feeling well", 30, EXAM, "Something is wrong and it cannot wait for weeks."
    ),
    offered(
        "type-recheck",
        "Recheck",
        "Not feeling well",
        20,
        EXAM,
        "A follow-up that we asked you to book.",
        who="existing",
    ),
    offered(
        "type-telehealth",
        "Video visit",
        "Not feeling well",
        20,
        [VETERINARIAN],
        "Talk to a veterinarian by video; for pets we have seen in the last year.",
        species=[*DOGS_AND_CATS],
        who="existing",
    ),
    offered(
        "type-vaccines", "Vaccines", "Quick care", 20, [TECHNICIAN, ROOM], "Boosters that are due.", who="existing"
    ),
    offered(
        "type-nail-trim",
        "Nail trim",
        "Quick care",
        15,
        [TECHNICIAN, ROOM],
        "With a technician.",
        species=[*DOGS_AND_CATS, "rabbit"],
    ),
    offered(
        "type-dental",
        "Dental cleaning",
        "Procedures",
        120,
        [TECHNICIAN, DENTAL_SUITE],
        "Drop off in the morning, no breakfast please; we call you when your pet is awake.",
        who="existing",
        grid=Grid(starts=("08:00", "08:30", "10:30", "14:00")),
        notice_hours=24,
        max_per_day=3,
    ),
    offered(
        "type-ultrasound",
        "Ultrasound",
        "Procedures",
        45,
        [VETERINARIAN, TECHNICIAN, ROOM, ULTRASOUND],
        "A look inside, without pain. No food for eight hours before, please.",
        who="existing",
        notice_hours=24,
    ),
    offered(
        "type-surgery-consult",
        "Surgery consult",
        "Procedures",
        30,
        [SURGEON, ROOM],
        "Talk through an operation with our surgeon.",
        notice_hours=24,
    ),
    offered(
        "type-euthanasia",
        "Saying goodbye",
        "End of life",
        60,
        [],
        "We call you, gently and soon, and plan it together. There is nothing to fill in that can wait.",
        species=[*DOGS_AND_CATS, *SMALL_ONES],
        mode="callback",
    ),
]


async def set_up(
    *, database_url: str, pims_url: str, pims_key: str, host_origins: list[str], progress: Callable[[str], None]
) -> None:
    """Set the practice up, or bring addresses up to date where it is set up; staff's own changes stay."""
    pool = await connect(database_url, max_size=2)
    try:
        connection = await _connection(pool, {"url": pims_url, "key": pims_key}, host_origins)
        adapter = open_adapter(connection.adapter, connection.settings)
        try:
            progress("Reading the practice from its PIMS")
            synced = await sync(pool, adapter, connection, clock=lambda: datetime.now(UTC))
        finally:
            await adapter.close()
        progress(f"{synced.changes} changes read")
        if connection.status == "importing":
            await _go_live(pool, connection)
    finally:
        await pool.close()


async def _connection(pool: Pool, settings: dict[str, str], host_origins: list[str]) -> Connection:
    async with across_practices(pool) as conn, conn.transaction():
        if await practices.practice_by_id(conn, PRACTICE_ID) is None:
            await practices.insert_practice(conn, RIVERSIDE)
        await practices.set_allowed_origins(conn, PRACTICE_ID, host_origins)
        known = await connections.connection_of(conn, PRACTICE_ID)
        connection = Connection(
            practice_id=PRACTICE_ID,
            connection_id=CONNECTION_ID,
            adapter="demo",
            settings=settings,
            status=known.status if known else "importing",
            as_of=None,
            failing_since=None,
            failure=None,
        )
        await connections.put_connection(conn, connection)
    return connection


async def _go_live(pool: Pool, connection: Connection) -> None:
    """Say what the practice chose with us: roles, what may be booked online, who may sign in."""
    async with of_practice(pool, connection.practice_id) as conn, conn.transaction():
        for pims_id, roles in ROLES.items():
            await mirror.set_roles(conn, PRACTICE_ID, pims_id, roles)
        for position, one in enumerate(OFFERED):
            await appointment_types.configure_appointment_type(conn, PRACTICE_ID, one, position=position)
        await staff.put_staff(
            conn,
            PRACTICE_ID,
            Staff(
                staff_id=uuid5(PRACTICE_ID, STAFF_EMAIL),
                email=STAFF_EMAIL,
                name="Robin from the front desk",
                password_hash=hash_password(STAFF_PASSWORD),
                role="owner",
            ),
        )
        await connections.put_connection(conn, msgspec.structs.replace(connection, status="live"))
