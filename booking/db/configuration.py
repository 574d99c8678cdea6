"""The set-up as staff change it: one table a kind, each with what may be set, and its statements.

A row comes back as its id, whose record it is, and the settings; settings go in as one JSON value, whose members are
the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import Meta, Struct

from availability import Grid, Override, Recurring
from booking.db.appointment_types import Audience, Mode, TypeStep, Variant
from booking.db.pool import Connection, many, one
from booking.db.practices import WhoMayBook
from booking.db.questions import QuestionKind

Line = Annotated[str, Meta(min_length=1, max_length=200)]
MaybeLine = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(max_length=2000)]
Word = Annotated[str, Meta(min_length=1, max_length=60)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Times = Annotated[tuple[Recurring, ...], Meta(max_length=200)]
Ids = Annotated[list[UUID], Meta(max_length=500)]


class Settings(Struct, frozen=True, kw_only=True):
    """What staff may set of one thing."""


class PracticeSettings(Settings, frozen=True, kw_only=True):
    """The practice itself. `timezone` and `hours` are the PIMS's where one is connected."""

    name: Line
    phone: Annotated[str, Meta(min_length=1, max_length=40)]
    email: Annotated[str, Meta(max_length=320)]
    address: Annotated[str, Meta(max_length=500)]
    emergency_text: Text
    timezone: Annotated[str, Meta(min_length=1, max_length=60)]
    hours: Times
    languages: Annotated[list[Annotated[str, Meta(min_length=2, max_length=20)]], Meta(min_length=1, max_length=20)]
    allowed_origins: Annotated[list[Line], Meta(max_length=50)]
    who_may_book: WhoMayBook
    hold_for: timedelta
    freshness_limit: timedelta
    stale_notice: timedelta
    open_bookings_per_client: Count = 5
    open_bookings_per_patient: Count = 2
    urgent_words: Annotated[list[Word], Meta(max_length=200)] | None = None
    cancel_window: timedelta = timedelta(hours=24)
    reschedule_window: timedelta = timedelta(hours=24)
    max_reschedules: Count = 3
    waitlist_hold_for: timedelta = timedelta(minutes=30)
    text_countries: Annotated[list[Annotated[str, Meta(min_length=2, max_length=2)]], Meta(max_length=50)] = []
    texts_per_day: Count = 300


class TypeSettings(Settings, frozen=True, kw_only=True):
    """An appointment type: all that a client sees of it, and what it takes."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    description: Text = ""
    category: MaybeLine = "other"
    position: Count = 1000
    species: Annotated[list[Word], Meta(max_length=50)] = []
    steps: Annotated[tuple[TypeStep, ...], Meta(max_length=20)] = ()
    variants: Annotated[tuple[Variant, ...], Meta(max_length=50)] = ()
    grid: Grid = Grid(every=timedelta(minutes=15))
    buffer_before: timedelta = timedelta()
    buffer_after: timedelta = timedelta()
    bookable_online: bool = False
    mode: Mode = "instant"
    who_may_book: Audience = "everyone"
    notice: timedelta = timedelta(hours=2)
    horizon: timedelta = timedelta(days=60)
    max_per_day: Count | None = None


class ResourceSettings(Settings, frozen=True, kw_only=True):
    """Anything whose time is used. `hours` None: as long as the practice is open."""

    name: Line
    kind: Literal["provider", "technician", "room", "equipment"]
    roles: Annotated[list[Word], Meta(max_length=50)] = []
    person: Line | None = None
    capacity: Annotated[int, Meta(ge=1, le=1000)] = 1
    hours: Times | None = None
    overrides: Annotated[tuple[Override, ...], Meta(max_length=1000)] = ()


class RuleSettings(Settings, frozen=True, kw_only=True):
    """When which types may use which resources; a list that is None means all."""

    name: Line
    effect: Literal["deny", "reserve"]
    when: Times
    appointment_types: Ids | None = None
    resources: Ids | None = None
    release: timedelta | None = None


class ClosureSettings(Settings, frozen=True, kw_only=True):
    """Local dates, both included, on which the practice is closed."""

    name: Line
    first: date
    last: date


class BlockOffSettings(Settings, frozen=True, kw_only=True):
    """Time of one resource closed by the practice."""

    resource_id: UUID
    time: Recurring
    reason: MaybeLine = ""


class QuestionSettings(Settings, frozen=True, kw_only=True):
    """What is asked before a visit is booked. `appointment_types` None: for all."""

    label: Line
    kind: QuestionKind
    position: Count = 1000
    choices: Annotated[list[Line], Meta(max_length=50)] = []
    required: bool = False
    appointment_types: Ids | None = None
    who: Audience = "everyone"
    pims_field: Line | None = None


Kind = Literal["practice", "appointment_type", "resource", "rule", "closure", "block_off", "question"]


class Item(Struct, frozen=True, kw_only=True):
    """One thing of the set-up. `pims_id`: it is mirrored from the PIMS, which may leave its hours to the practice."""

    id: UUID
    settings: Settings
    pims_id: str | None = None
    hours_from_pims: bool = False


class Table(Struct, frozen=True, kw_only=True):
    """One kind: what may be set, what of that is the PIMS's to say once it is mirrored, and the statements.

    `some` takes the practice, the id to begin after and how many; `one` the practice and an id; `put` those two and the
    settings; `retire` the practice and an id. A retired thing that others refer to is set aside, the rest is deleted.
    """

    settings: type[Settings]
    owned: frozenset[str]
    some: str
    one: str
    put: str
    retire: str = ""


PRACTICE_COLUMNS: Final = """name, phone, email, address, emergency_text, timezone, hours, languages, allowed_origins,
  who_may_book, hold_for, freshness_limit, stale_notice, open_bookings_per_client, open_bookings_per_patient,
  urgent_words, cancel_window, reschedule_window, max_reschedules, waitlist_hold_for,
  text_countries, texts_per_day"""
PRACTICE_ROW = f"""
SELECT practice_id AS id, (SELECT min(c.adapter) FROM connection c WHERE c.practice_id = $1) AS pims_id,
  hours_from_pims, {PRACTICE_COLUMNS}
FROM practice WHERE practice_id = $1"""
SOME_PRACTICE = f"{PRACTICE_ROW} AND practice_id > $2 LIMIT $3"
ONE_PRACTICE = f"{PRACTICE_ROW} AND practice_id = $2 FOR UPDATE"
PUT_PRACTICE = f"""
UPDATE practice SET ({PRACTICE_COLUMNS}) = (SELECT {PRACTICE_COLUMNS} FROM jsonb_populate_record(null::practice, $3))
WHERE practice_id = $1 AND practice_id = $2
"""

TYPE_COLUMNS: Final = """name, description, category, position, species, steps, variants, grid, buffer_before,
  buffer_after, bookable_online, mode, who_may_book, notice, horizon, max_per_day"""
TYPE_ROW = f"SELECT appointment_type_id AS id, pims_id, {TYPE_COLUMNS} FROM appointment_type WHERE practice_id = $1"
SOME_TYPES = f"{TYPE_ROW} AND active AND appointment_type_id > $2 ORDER BY appointment_type_id LIMIT $3"
ONE_TYPE = f"{TYPE_ROW} AND active AND appointment_type_id = $2 FOR UPDATE"
PUT_TYPE = f"""
INSERT INTO appointment_type (practice_id, appointment_type_id, pims_name, {TYPE_COLUMNS})
SELECT $1, $2, name, {TYPE_COLUMNS} FROM jsonb_populate_record(null::appointment_type, $3)
ON CONFLICT (practice_id, appointment_type_id) DO UPDATE SET active = true,
  ({TYPE_COLUMNS}) = (SELECT {TYPE_COLUMNS} FROM jsonb_populate_record(null::appointment_type, $3))
"""
RETIRE_TYPE = "UPDATE appointment_type SET active = false WHERE practice_id = $1 AND appointment_type_id = $2"

RESOURCE_COLUMNS: Final = "name, kind, roles, person, capacity, hours, overrides"
RESOURCE_ROW = (
    f"SELECT resource_id AS id, pims_id, hours_from_pims, {RESOURCE_COLUMNS} FROM resource WHERE practice_id = $1"
)
SOME_RESOURCES = f"{RESOURCE_ROW} AND active AND resource_id > $2 ORDER BY resource_id LIMIT $3"
ONE_RESOURCE = f"{RESOURCE_ROW} AND active AND resource_id = $2 FOR UPDATE"
PUT_RESOURCE = f"""
INSERT INTO resource (practice_id, resource_id, {RESOURCE_COLUMNS})
SELECT $1, $2, {RESOURCE_COLUMNS} FROM jsonb_populate_record(null::resource, $3)
ON CONFLICT (practice_id, resource_id) DO UPDATE SET active = true,
  ({RESOURCE_COLUMNS}) = (SELECT {RESOURCE_COLUMNS} FROM jsonb_populate_record(null::resource, $3))
"""
RETIRE_RESOURCE = "UPDATE resource SET active = false WHERE practice_id = $1 AND resource_id = $2"

RULE_COLUMNS: Final = 'name, effect, "when", appointment_types, resources, release'
RULE_ROW = f"SELECT rule_id AS id, pims_id, {RULE_COLUMNS} FROM rule WHERE practice_id = $1"
SOME_RULES = f"{RULE_ROW} AND rule_id > $2 ORDER BY rule_id LIMIT $3"
ONE_RULE = f"{RULE_ROW} AND rule_id = $2 FOR UPDATE"
PUT_RULE = f"""
INSERT INTO rule (practice_id, rule_id, {RULE_COLUMNS})
SELECT $1, $2, {RULE_COLUMNS} FROM jsonb_populate_record(null::rule, $3)
ON CONFLICT (practice_id, rule_id) DO UPDATE SET
  ({RULE_COLUMNS}) = (SELECT {RULE_COLUMNS} FROM jsonb_populate_record(null::rule, $3))
"""
RETIRE_RULE = "DELETE FROM rule WHERE practice_id = $1 AND rule_id = $2"

CLOSURE_COLUMNS: Final = "name, first, last"
CLOSURE_ROW = f"SELECT closure_id AS id, pims_id, {CLOSURE_COLUMNS} FROM closure WHERE practice_id = $1"
SOME_CLOSURES = f"{CLOSURE_ROW} AND closure_id > $2 ORDER BY closure_id LIMIT $3"
ONE_CLOSURE = f"{CLOSURE_ROW} AND closure_id = $2 FOR UPDATE"
PUT_CLOSURE = f"""
INSERT INTO closure (practice_id, closure_id, {CLOSURE_COLUMNS})
SELECT $1, $2, {CLOSURE_COLUMNS} FROM jsonb_populate_record(null::closure, $3)
ON CONFLICT (practice_id, closure_id) DO UPDATE SET
  ({CLOSURE_COLUMNS}) = (SELECT {CLOSURE_COLUMNS} FROM jsonb_populate_record(null::closure, $3))
"""
RETIRE_CLOSURE = "DELETE FROM closure WHERE practice_id = $1 AND closure_id = $2"

BLOCK_OFF_COLUMNS: Final = 'resource_id, "time", reason'
BLOCK_OFF_ROW = f"SELECT block_off_id AS id, pims_id, {BLOCK_OFF_COLUMNS} FROM block_off WHERE practice_id = $1"
SOME_BLOCK_OFFS = f"{BLOCK_OFF_ROW} AND block_off_id > $2 ORDER BY block_off_id LIMIT $3"
ONE_BLOCK_OFF = f"{BLOCK_OFF_ROW} AND block_off_id = $2 FOR UPDATE"
PUT_BLOCK_OFF = f"""
INSERT INTO block_off (practice_id, block_off_id, {BLOCK_OFF_COLUMNS})
SELECT $1, $2, {BLOCK_OFF_COLUMNS} FROM jsonb_populate_record(null::block_off, $3)
ON CONFLICT (practice_id, block_off_id) DO UPDATE SET
  ({BLOCK_OFF_COLUMNS}) = (SELECT {BLOCK_OFF_COLUMNS} FROM jsonb_populate_record(null::block_off, $3))
"""
RETIRE_BLOCK_OFF = "DELETE FROM block_off WHERE practice_id = $1 AND block_off_id = $2"

QUESTION_COLUMNS: Final = "label, kind, position, choices, required, appointment_types, who, pims_field"
QUESTION_ROW = f"SELECT question_id AS id, null AS pims_id, {QUESTION_COLUMNS} FROM question WHERE practice_id = $1"
SOME_QUESTIONS = f"{QUESTION_ROW} AND active AND question_id > $2 ORDER BY question_id LIMIT $3"
ONE_QUESTION = f"{QUESTION_ROW} AND active AND question_id = $2 FOR UPDATE"
PUT_QUESTION = f"""
INSERT INTO question (practice_id, question_id, {QUESTION_COLUMNS})
SELECT $1, $2, {QUESTION_COLUMNS} FROM jsonb_populate_record(null::question, $3)
ON CONFLICT (practice_id, question_id) DO UPDATE SET active = true,
  ({QUESTION_COLUMNS}) = (SELECT {QUESTION_COLUMNS} FROM jsonb_populate_record(null::question, $3))
"""
RETIRE_QUESTION = "UPDATE question SET active = false WHERE practice_id = $1 AND question_id = $2"

ALL_OF_IT: Final = frozenset({"*"})
TABLES: Final[dict[Kind, Table]] = {
    "practice": Table(
        settings=PracticeSettings,
        owned=frozenset({"hours"}),
        some=SOME_PRACTICE,
        one=ONE_PRACTICE,
        put=PUT_PRACTICE,
    ),
    "appointment_type": Table(
        settings=TypeSettings, owned=frozenset(), some=SOME_TYPES, one=ONE_TYPE, put=PUT_TYPE, retire=RETIRE_TYPE
    ),
    "resource": Table(
        settings=ResourceSettings,
        owned=frozenset({"name", "kind", "person", "capacity", "hours", "overrides"}),
        some=SOME_RESOURCES,
        one=ONE_RESOURCE,
        put=PUT_RESOURCE,
        retire=RETIRE_RESOURCE,
    ),
    "rule": Table(
        settings=RuleSettings, owned=ALL_OF_IT, some=SOME_RULES, one=ONE_RULE, put=PUT_RULE, retire=RETIRE_RULE
    ),
    "closure": Table(
        settings=ClosureSettings,
        owned=ALL_OF_IT,
        some=SOME_CLOSURES,
        one=ONE_CLOSURE,
        put=PUT_CLOSURE,
        retire=RETIRE_CLOSURE,
    ),
    "block_off": Table(
        settings=BlockOffSettings,
        owned=ALL_OF_IT,
        some=SOME_BLOCK_OFFS,
        one=ONE_BLOCK_OFF,
        put=PUT_BLOCK_OFF,
        retire=RETIRE_BLOCK_OFF,
    ),
    "question": Table(
        settings=QuestionSettings,
        owned=frozenset(),
        some=SOME_QUESTIONS,
        one=ONE_QUESTION,
        put=PUT_QUESTION,
        retire=RETIRE_QUESTION,
    ),
}
FIRST: Final = UUID(int=0)
MOST: Final = 1000


async def items(
    conn: Connection, practice_id: UUID, kind: Kind, *, after: UUID = FIRST, limit: int = MOST
) -> list[Item]:
    """Return what there is of a kind and not retired, in the order of the ids, from after one on."""
    return [_item(row, kind) for row in await conn.fetch(TABLES[kind].some, practice_id, after, limit)]


async def lock_item(conn: Connection, practice_id: UUID, kind: Kind, id_: UUID) -> Item | None:
    """Find one thing that is not retired, and keep it from changing until the transaction ends."""
    row = await conn.fetchrow(TABLES[kind].one, practice_id, id_)
    return None if row is None else _item(row, kind)


async def put_item(conn: Connection, practice_id: UUID, kind: Kind, id_: UUID, settings: Settings) -> None:
    """Save the settings of one thing, which may be new, or retired and now back."""
    await conn.execute(TABLES[kind].put, practice_id, id_, as_columns(settings))


async def retire_item(conn: Connection, practice_id: UUID, kind: Kind, id_: UUID) -> None:
    """Take one thing out of use."""
    await conn.execute(TABLES[kind].retire, practice_id, id_)


SETTLE = "SET CONSTRAINTS ALL IMMEDIATE"


async def settle(conn: Connection) -> None:
    """Let what a commit would trigger happen now, in a transaction that will not be committed."""
    await conn.execute(SETTLE)


def as_columns(settings: Settings) -> dict[str, object]:
    """Return settings as plain JSON values by column."""
    columns: dict[str, object] = msgspec.to_builtins(settings)
    return columns


def settings_of(kind: Kind, columns: Mapping[str, object]) -> Settings:
    """Return what is stored as settings. The bounds are for what people send: what came from a PIMS may lie beyond."""
    type_ = TABLES[kind].settings
    read = {
        field.name: msgspec.convert(columns[field.name], _unbounded(field.type))
        for field in msgspec.structs.fields(type_)
        if field.name in columns
    }
    return type_(**read)


@cache
def _unbounded(type_: Any) -> Any:  # noqa: ANN401 - types are values here
    if get_origin(type_) is Annotated:
        return _unbounded(get_args(type_)[0])
    if get_origin(type_) in (list, tuple, UnionType, Union):
        parts = tuple(_unbounded(part) for part in get_args(type_))
        return reduce(or_, parts) if get_origin(type_) in (UnionType, Union) else get_origin(type_)[parts]
    return type_


def _item(row: Record, kind: Kind) -> Item:
    return Item(
        id=row["id"],
        pims_id=row["pims_id"],
        hours_from_pims=bool(row.get("hours_from_pims")),
        settings=settings_of(kind, dict(row)),
    )


class PastChange(Struct, frozen=True, kw_only=True):
    """One entry of the audit log, `number` 1, 2, 3, … per practice. `who`: the name of a member of staff or a key."""

    number: int
    what: str
    subject_id: UUID
    actor_id: UUID | None
    who: str | None
    before: dict[str, object] | None
    after: dict[str, object] | None
    at: datetime


CHANGE_COLUMNS: Final = """a.number, a.what, a.subject_id, a.actor_id, coalesce(s.name, k.name) AS who, a.before,
  a.after, a.at
FROM audit a
LEFT JOIN staff s ON s.practice_id = a.practice_id AND s.staff_id = a.actor_id
LEFT JOIN api_key k ON k.practice_id = a.practice_id AND k.api_key_id = a.actor_id
WHERE a.practice_id = $1"""

CHANGES = f"""
SELECT {CHANGE_COLUMNS} AND a.number < $2 AND ($3::text[] IS NULL OR a.what = ANY($3)) ORDER BY a.number DESC LIMIT $4
"""


async def changes(
    conn: Connection, practice_id: UUID, *, before: int, limit: int, kinds: Sequence[str] | None = None
) -> list[PastChange]:
    """Return the practice's changes before a number, the newest first; of some kinds only, if these are named."""
    return many(await conn.fetch(CHANGES, practice_id, before, kinds, limit), PastChange)


CHANGE = f"SELECT {CHANGE_COLUMNS} AND a.number = $2"


async def change(conn: Connection, practice_id: UUID, number: int) -> PastChange | None:
    """Find one change."""
    return one(await conn.fetchrow(CHANGE, practice_id, number), PastChange)
