"""What a practice enters to connect, and the check that the PIMS answers to it and is the practice's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from booking.connect.credentials import CredentialsUnreadable, opened_settings, seal, unseal
from booking.connect.refusals import ConnectionUnknown, SettingsRefused, StepOutOfOrder
from booking.connect.steps import audit, locked
from booking.db import connection_steps as db
from booking.db.connection_steps import Found, Steps
from booking.db.pool import Connection, Pool, of_practice
from pims_adapters import contract as pims
from pims_adapters import open_adapter, system_of

RelayOf = Callable[[Pool, Steps], pims.Relay | None]
"""Opens the line to the agent of a connection that has one."""


async def enter_settings(
    conn: Connection,
    practice_id: UUID,
    entered: dict[str, str],
    *,
    identifier: str | None,
    secret_key: bytes,
    by: UUID,
    now: datetime,
) -> Steps:
    """Keep address, credentials and the practice identifier; a secret that is left out stays as it is.

    Raises `StepOutOfOrder` and `SettingsRefused`.
    """
    steps = await locked(conn, practice_id)
    if steps.status in ("requested", "activating"):
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    fields = {one.name: one for one in system_of(steps.adapter).settings}
    kept = _secrets_kept(steps, secret_key)
    given = {name: value.strip() for name, value in entered.items() if value.strip()}
    secrets = {name: value for name, value in {**kept, **given}.items() if name in fields and fields[name].secret}
    plain = {name: value for name, value in given.items() if name in fields and not fields[name].secret}
    wrong = {f"settings.{name}": "This PIMS has no such setting." for name in given if name not in fields}
    wrong |= {
        f"settings.{name}": f"Please enter: {one.label}."
        for name, one in fields.items()
        if one.required and name not in secrets and name not in plain
    }
    if wrong:
        raise SettingsRefused(wrong)
    sealed = None
    if secrets:
        sealed = seal(secrets, secret_key=secret_key, practice_id=practice_id, connection_id=steps.connection_id)
    await db.set_settings(conn, practice_id, plain, sealed, identifier)
    told = {"settings": plain, "secrets": sorted(secrets), "identifier": identifier}
    await audit(conn, steps, "settings", told, by=by, now=now)
    return await locked(conn, practice_id)


def _secrets_kept(steps: Steps, secret_key: bytes) -> dict[str, str]:
    """Return the credentials entered before; what can no longer be read has to be entered again."""
    try:
        return unseal(
            steps.sealed, secret_key=secret_key, practice_id=steps.practice_id, connection_id=steps.connection_id
        )
    except CredentialsUnreadable:
        return {}


async def check(pool: Pool, practice_id: UUID, *, secret_key: bytes, relay_of: RelayOf, now: datetime) -> Steps:
    """Ask the PIMS who it is, and keep its answer or why there was none. Raises `StepOutOfOrder`.

    The PIMS is asked outside any transaction: it may take its time.
    """
    async with of_practice(pool, practice_id) as conn:
        steps = await db.steps_of(conn, practice_id)
    if steps is None:
        raise ConnectionUnknown(ConnectionUnknown.__doc__)
    if steps.status in ("requested", "activating"):
        raise StepOutOfOrder(StepOutOfOrder.__doc__)
    found = await _ask(steps, secret_key, relay_of(pool, steps), now)
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        await db.set_checked(conn, practice_id, found)
        return await locked(conn, practice_id)


async def _ask(steps: Steps, secret_key: bytes, relay: pims.Relay | None, now: datetime) -> Found:
    try:
        adapter = open_adapter(steps.adapter, opened_settings(steps, secret_key), relay)
    except pims.PimsMisconfigured as failure:
        return Found(at=now, problem=str(failure))
    try:
        said = await adapter.check()
    except pims.PimsError as failure:
        return Found(at=now, problem=str(failure))
    finally:
        await adapter.close()
    practice, wanted = said.practice, steps.practice_identifier
    problem = None
    if wanted is not None and wanted != practice.pims_id:
        problem = "The PIMS answers for another practice than the one whose identifier was entered."
    return Found(
        at=now,
        pims_id=practice.pims_id,
        name=practice.name,
        timezone=practice.timezone,
        version=said.version,
        problem=problem,
    )
