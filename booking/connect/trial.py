"""Trying an import before anything is written: the survey, what its names mean with us, and what is taken over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from uuid import UUID

from booking.connect.mapping import ImportSettings, Link, Mapping
from booking.connect.refusals import SettingsRefused, StepOutOfOrder
from booking.connect.steps import audit, locked
from booking.connect.survey import Booked, survey
from booking.db import connection_steps as db
from booking.db import mirror, schedule, write_backs
from booking.db.appointment_types import appointment_types
from booking.db.connection_steps import Steps
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.local_days import zone_exists
from pims_adapters import contract as pims


async def ask_survey(conn: Connection, practice_id: UUID, *, now: datetime) -> Steps:
    """Have a worker read the PIMS without writing anything: for the names, and later as the dry run.

    Raises `StepOutOfOrder` where the PIMS could not be asked yet.
    """
    steps = await locked(conn, practice_id)
    if steps.status in ("requested", "activating") or steps.checked is None or steps.checked.problem is not None:
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    if steps.survey_due_at is None:
        await db.ask_survey(conn, practice_id, now)
        await write_backs.wake_workers(conn, "survey")
    return await locked(conn, practice_id)


async def do_survey(
    pool: Pool, practice: Practice, adapter: Callable[[], Awaitable[pims.PimsAdapter]], *, now: datetime
) -> None:
    """Do a survey that was asked for with the practice's adapter, and keep what it found or why it found nothing."""
    practice_id = practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        steps = await db.steps_of(conn, practice_id)
        ahead = await db.ours_ahead(conn, practice_id, now)
        resources = await mirror.resource_ids(conn, practice_id)
    if steps is None:
        return
    columns = {ours: pims_id for pims_id, ours in resources.items()}
    columns |= {link.ours: link.pims_id for link in steps.maps.resources if link.ours is not None}
    booked = [
        Booked(column=columns[one.resource_id], start=one.starts_at, end=one.ends_at, pims_id=one.pims_id)
        for one in ahead
        if one.resource_id in columns
    ]
    found, failure = None, None
    try:
        found = await survey(await adapter(), steps.maps, booked, timezone=practice.timezone, now=now)
    except pims.PimsError as error:
        failure = str(error)
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        await db.put_survey(conn, practice_id, found, failure)


async def map_it(conn: Connection, practice: Practice, mapping: Mapping, *, by: UUID, now: datetime) -> Steps:
    """Say which of the PIMS's things are which of ours, in the caller's transaction.

    Raises `StepOutOfOrder` and `SettingsRefused`.
    """
    practice_id = practice.practice_id
    steps = await locked(conn, practice_id)
    if steps.survey is None or steps.status not in ("ready_for_setup", "paused"):
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    resources = {one.resource_id for one in await schedule.resources(conn, practice_id)}
    types = {one.appointment_type_id for one in await appointment_types(conn, practice_id)}
    wrong = dict(
        [
            *_wrong_links("resources", mapping.resources, {one.pims_id for one in steps.survey.columns}, resources),
            *_wrong_links("types", mapping.types, {one.pims_id for one in steps.survey.types}, types),
        ]
    )
    if wrong:
        raise SettingsRefused(wrong)
    await db.set_mapping(conn, practice_id, mapping)
    await audit(conn, steps, "mapping", mapping, by=by, now=now)
    return await locked(conn, practice_id)


def _wrong_links(path: str, links: tuple[Link, ...], theirs: set[str], ours: set[UUID]) -> Iterator[tuple[str, str]]:
    """Return what is wrong with links, each of which has to join one thing with one other."""
    seen: set[str | UUID] = set()
    for number, link in enumerate(links):
        where = f"{path}[{number}]"
        if link.pims_id not in theirs:
            yield f"{where}.pimsId", "The PIMS has nothing of this identifier."
        if (link.becomes == "ours") != (link.ours is not None):
            yield f"{where}.ours", "Say which of yours it is, if it is one of yours, and only then."
        elif link.ours is not None and link.ours not in ours:
            yield f"{where}.ours", "There is nothing of yours with this id."
        for one in (link.pims_id, link.ours):
            if one is not None and one in seen:
                yield where, "This is in the mapping twice."
            seen |= {one} if one is not None else set()


async def set_import(
    conn: Connection, practice_id: UUID, settings: ImportSettings, *, by: UUID, now: datetime
) -> Steps:
    """Say when and how much is imported. Raises `StepOutOfOrder` and `SettingsRefused`."""
    steps = await locked(conn, practice_id)
    if steps.status in ("requested", "activating"):
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    if not zone_exists(settings.timezone):
        raise SettingsRefused({"timezone": "There is no such time zone; write one like America/New_York."})
    await db.set_import(conn, practice_id, settings)
    await audit(conn, steps, "import_settings", settings, by=by, now=now)
    return await locked(conn, practice_id)
