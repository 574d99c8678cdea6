"""Every statement of `booking/db` fits the schema and stays within one practice."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

import booking.db
from tests.copies import copy_of
from widget.embedded import PostgresServer

STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|NOTIFY|LOCK|SET)\s", re.IGNORECASE)

WITHOUT_PRACTICE = {
    "holds.FORGET_OLD_HOLDS": "the worker cleans up for every practice alike, by age alone, and reads nothing",
    "idempotency.FORGET_OLD_KEYS": "housekeeping, as above",
    "messages.FORGET_OLD_MESSAGES": "housekeeping, as above",
    "waitlist.FORGET_OLD_ENTRIES": "housekeeping, as above",
    "webhooks.FORGET_OLD_EVENTS": "housekeeping, as above",
    "code_texts.FORGET_OLD_COUNTS": "housekeeping, as above",
    "code_texts.COUNT_IN_TOTAL": "counts for the whole installation, which pays for the texts of all",
    "agent_calls.FORGET_OLD_CALLS": "housekeeping, as above",
    "agent_calls.NOTIFY": "wakes whoever waits and says nothing",
    "missing.FORGET_OLD_MISSING": "housekeeping, as above",
    "staff_tasks.FORGET_OLD_TASKS": "housekeeping, as above",
    "configuration.SETTLE": "lets the triggers of this transaction fire before its end",
    "pool.REACH": "asks whether the database answers",
    "claims.LOCK_DAYS": "the practice is part of the lock's key",
    "webhooks.LOCK_ENDPOINTS": "the practice is part of the lock's key",
    "calendar_feeds.LOCK_FEEDS": "the practice is part of the lock's key",
    "who_books.LOCK_CONTACT": "the practice is part of the lock's key",
    "idempotency.TRY_KEY": "the practice is part of the lock's key",
    "idempotency.WAIT_FOR_KEY": "as above",
    "write_backs.NOTIFY": "wakes workers and says nothing",
    "write_backs.WAKE_FOR_WRITE_BACKS": "as above",
    "migrate.CREATE_TABLE": "the schema's own history",
    "migrate.SELECT_APPLIED": "the schema's own history",
    "migrate.INSERT_APPLIED": "the schema's own history",
    "migrate.TRY_LOCK": "one migration at a time in the whole database",
    "migrate.UNLOCK": "one migration at a time in the whole database",
}
"""Statements that may do without `practice_id`, each with its reason."""


def statements() -> Iterator[tuple[str, str]]:
    """Return every statement: its module and name, and its text."""
    for found in pkgutil.walk_packages(booking.db.__path__, "booking.db."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str) and STATEMENT.match(value):
                yield f"{found.name.removeprefix('booking.db.')}.{name}", value


def without_practice(named: Iterator[tuple[str, str]]) -> set[str]:
    """Return the names of the statements that do not mention the practice."""
    return {name for name, text in named if not re.search(r"\bpractice_id\b", text)}


@pytest.fixture(scope="module")
async def schema(postgres: PostgresServer, migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection to a migrated database that all statements share: none is executed."""
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(copy_of(migrated_template, "statements"))
    conn = await asyncpg.connect(f"{postgres.url.rsplit('/', 1)[0]}/statements")
    yield conn
    await conn.close()
    await admin.execute("DROP DATABASE statements WITH (FORCE)")
    await admin.close()


@pytest.mark.parametrize(("name", "text"), list(statements()))
async def test_a_statement_fits_the_schema(schema: asyncpg.Connection, name: str, text: str) -> None:
    await schema.prepare(text)


def test_every_statement_stays_within_one_practice() -> None:
    assert without_practice(statements()) == set(WITHOUT_PRACTICE)


def test_a_statement_across_practices_is_found() -> None:
    assert without_practice(iter([("x.LEAKY", "SELECT name FROM client WHERE id = $1")])) == {"x.LEAKY"}


async def test_a_statement_that_does_not_fit_is_found(schema: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await schema.prepare("SELECT not_a_column FROM schema_migrations")
