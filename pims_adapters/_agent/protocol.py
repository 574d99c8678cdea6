"""The agent protocol, version 1: what an agent beside an on-premises PIMS and vetslot say to each other.

The agent only ever connects outward. It says hello, pushes pages of rows feed by feed, fetches calls, and reports what
became of them. Rows have one shape for every system and that system's own words (statuses, species, sexes): what these
mean is known to the system's folder on our side, so that an agent need not be updated for a word. Times are local
wall-clock time of the practice, as such systems keep them; `as_of`, `clock` and `deadline` are instants by the agent's
clock, which need not be right.

What cannot stand is answered with a problem document (RFC 9457) whose `code` says what to do; `docs/agent.md` lists
them. 409 `another-cursor` to a page carries the `cursor` to go on from and so reads as a `PageKept`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

VERSION = 1
MOST_ROWS = 500
MOST_PAGE_BYTES = 4 * 1024 * 1024

Id = Annotated[str, Meta(min_length=1, max_length=100)]
Name = Annotated[str, Meta(max_length=200)]
Word = Annotated[str, Meta(max_length=60)]
Text = Annotated[str, Meta(max_length=20_000)]
Cursor = Annotated[str, Meta(min_length=1, max_length=500)]
Local = Annotated[datetime, Meta(tz=False)]
Instant = Annotated[datetime, Meta(tz=True)]
Minutes = Annotated[int, Meta(ge=0, le=7 * 24 * 60)]

Table = Literal["staff", "room", "type", "closure", "block", "client", "patient", "appointment", "vaccine", "reminder"]


class Message(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Anything said. Unknown members are skipped: an older side may hear a newer one."""


class Row(Message, frozen=True, kw_only=True, tag_field="table"):
    """One record of the PIMS as it stands there now."""


class Hours(Message, frozen=True, kw_only=True):
    """Time in which a person or room works: once, or again and again by `rrule` (RFC 5545)."""

    starts: Local
    minutes: Minutes
    rrule: Annotated[str, Meta(max_length=500)] | None = None


class Staff(Row, frozen=True, kw_only=True, tag="staff"):
    """A person with a column of the schedule. `title` is the system's word (`Veterinarian`, `Technician`, …).

    `hours` is left out where the system keeps none.
    """

    id: Id
    name: Name
    title: Word = ""
    active: bool = True
    hours: Annotated[tuple[Hours, ...], Meta(max_length=200)] | None = None


class Room(Row, frozen=True, kw_only=True, tag="room"):
    """A room or machine with a column of the schedule."""

    id: Id
    name: Name
    active: bool = True
    hours: Annotated[tuple[Hours, ...], Meta(max_length=200)] | None = None


class Type(Row, frozen=True, kw_only=True, tag="type"):
    """What can be put on the schedule (a reason for visit)."""

    id: Id
    name: Name
    minutes: Minutes
    active: bool = True


class Closure(Row, frozen=True, kw_only=True, tag="closure"):
    """Local dates, both included, on which the practice is closed."""

    id: Id
    name: Name = ""
    first: date
    last: date


class Block(Row, frozen=True, kw_only=True, tag="block"):
    """Time of one column, of a person or of a room, closed by the practice."""

    id: Id
    staff: Id | None = None
    room: Id | None = None
    starts: Local
    minutes: Minutes
    rrule: Annotated[str, Meta(max_length=500)] | None = None
    notes: Text = ""


class Client(Row, frozen=True, kw_only=True, tag="client"):
    """A person the PIMS knows; phones and emails as typed there."""

    id: Id
    first_name: Name = ""
    last_name: Name = ""
    phones: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    emails: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    address: Name = ""
    city: Name = ""
    postal_code: Word = ""
    status: Word = ""
    notes: Text = ""


class Patient(Row, frozen=True, kw_only=True, tag="patient"):
    """An animal and the client it belongs to; `species`, `sex` and `status` are the system's words."""

    id: Id
    client: Id
    name: Name
    species: Word = ""
    breed: Name = ""
    sex: Word = ""
    birth_date: date | None = None
    status: Word = ""
    notes: Text = ""


class Appointment(Row, frozen=True, kw_only=True, tag="appointment"):
    """An entry of the schedule. `status` is the system's word, empty for one that is simply booked."""

    id: Id
    starts: Local
    minutes: Minutes
    staff: Id | None = None
    room: Id | None = None
    type: Id | None = None
    client: Id | None = None
    patient: Id | None = None
    status: Word = ""
    notes: Text = ""


class Vaccine(Row, frozen=True, kw_only=True, tag="vaccine"):
    """A vaccine that was given."""

    id: Id
    patient: Id
    name: Name
    given: date
    due: date | None = None


class Reminder(Row, frozen=True, kw_only=True, tag="reminder"):
    """Something a patient is due for."""

    id: Id
    patient: Id
    name: Name
    due: date
    done: bool = False
    type: Id | None = None


class Gone(Row, frozen=True, kw_only=True, tag="gone"):
    """The PIMS says that a record is no more."""

    of: Table
    id: Id


class Merged(Row, frozen=True, kw_only=True, tag="merged"):
    """One client or patient was joined into another."""

    of: Literal["client", "patient"]
    id: Id
    into: Id


AnyRow = Staff | Room | Type | Closure | Block | Client | Patient | Appointment | Vaccine | Reminder | Gone | Merged


class Hello(Message, frozen=True, kw_only=True):
    """`POST /agent/v1/hello`: who I am. `instance` is made anew at each start; two at once are told apart by it.

    `replaces`: the instance that had my folder before me and is surely gone, so that nobody waits for its lease to end.
    """

    protocol: int
    instance: Id
    replaces: Id | None = None
    agent_version: Word
    system: Word
    system_version: Word = ""
    practice: Id
    practice_name: Name
    timezone: Word
    clock: Instant


class FeedState(Message, frozen=True, kw_only=True):
    """A feed that is wanted: the cursor up to which we have it, and how often to look (`at`: nightly, local time)."""

    name: Word
    tables: tuple[Table, ...]
    cursor: Cursor | None
    every_seconds: int
    at: Word | None = None


class Welcome(Message, frozen=True, kw_only=True):
    """The answer to hello. An agent that is not heard for `lease_seconds` gives way to another one."""

    feeds: tuple[FeedState, ...]
    lease_seconds: int
    server_time: Instant


class Page(Message, frozen=True, kw_only=True):
    """`POST /agent/v1/pages`: rows since a cursor, oldest first. `clock`: the agent's, as it sends this.

    Without rows and with the same cursor it says that nothing is new.
    """

    instance: Id
    feed: Word
    after: Cursor | None
    cursor: Cursor
    more: bool
    as_of: Instant
    clock: Instant
    rows: Annotated[tuple[AnyRow, ...], Meta(max_length=MOST_ROWS)] = ()


class PageKept(Message, frozen=True, kw_only=True):
    """The page is kept. `cursor`: go on from here; it differs from the page's where another one was expected (409)."""

    cursor: Cursor | None


class Fetch(Message, frozen=True, kw_only=True):
    """`POST /agent/v1/calls/fetch`: give me what is to be done.

    Answered at once, or when something comes, within `wait_seconds`. `holding`: the calls that this instance is still
    at; others that it fetched and has not reported come again, as an answer of ours may have been lost.
    """

    instance: Id
    wait_seconds: Annotated[float, Meta(ge=0, le=30)] = 20
    most: Annotated[int, Meta(ge=1, le=50)] = 10
    holding: Annotated[tuple[Id, ...], Meta(max_length=200)] | None = None


CallName = Literal[
    "find_clients",
    "create_client",
    "create_patient",
    "create_appointment",
    "find",
    "read",
    "cancel_appointment",
    "confirm_appointment",
    "set_status",
    "list",
    "export_conversation",
    "find_conversation",
    "resend",
]
"""What may be asked of an agent; their bodies and answers are the structs below that begin with the same words."""


class Call(Message, frozen=True, kw_only=True):
    """One thing to be begun before `deadline`, else left. With a `key` it is done at most once, however often it comes.

    An agent that has begun a creation under a key and does not know how it ended looks for its marker before it begins
    anew.
    """

    id: Id
    call: CallName
    key: Id | None = None
    deadline: Instant
    body: Raw


class Calls(Message, frozen=True, kw_only=True):
    """The answer to a fetch."""

    calls: tuple[Call, ...]


class Failure(Message, frozen=True, kw_only=True):
    """Why a call failed, in the contract's kinds of errors; `outcome_unknown`: it may have been done."""

    kind: Literal["unavailable", "rejected", "misconfigured"]
    reason: Name
    taken: bool = False
    outcome_unknown: bool = False


class Result(Message, frozen=True, kw_only=True):
    """`POST /agent/v1/calls/result`: what became of a call; exactly one of `answer` and `failure`."""

    instance: Id
    id: Id
    answer: Raw | UnsetType = UNSET
    failure: Failure | None = None


class Bye(Message, frozen=True, kw_only=True):
    """`POST /agent/v1/bye`: I stop, another may take my place at once; answered with `Done`."""

    instance: Id


class FindClients(Message, frozen=True, kw_only=True):
    """Body of `find_clients`; answered with `Rows`."""

    phone: Name | None = None
    email: Name | None = None


class CreateClient(Message, frozen=True, kw_only=True):
    """Body of `create_client`; `notes` carries the marker."""

    first_name: Name
    last_name: Name
    phone: Name | None = None
    email: Name | None = None
    address: Name = ""
    city: Name = ""
    postal_code: Word = ""
    notes: Text


class CreatePatient(Message, frozen=True, kw_only=True):
    """Body of `create_patient`; `species` and `sex` in the system's words."""

    client: Id
    name: Name
    species: Word
    breed: Name = ""
    sex: Word = ""
    birth_date: date | None = None
    notes: Text


class CreateAppointment(Message, frozen=True, kw_only=True):
    """Body of `create_appointment`. `author`: the staff member in whose name it is written."""

    client: Id
    patient: Id
    type: Id
    starts: Local
    minutes: Minutes
    staff: Id | None = None
    room: Id | None = None
    notes: Text
    author: Id | None = None


class Created(Message, frozen=True, kw_only=True):
    """The answer to a creation; without `id` it is accepted and shows later."""

    id: Id | None = None


class Find(Message, frozen=True, kw_only=True):
    """Body of `find` (by the marker in a record's notes) and `find_conversation`; answered with `Created`."""

    table: Table | None = None
    marker: Id


class Read(Message, frozen=True, kw_only=True):
    """Body of `read`; answered with `Rows`: one row, or none."""

    table: Table
    id: Id


class SetStatus(Message, frozen=True, kw_only=True):
    """Body of `cancel_appointment`, `confirm_appointment` and `set_status`: the system's word it is to have."""

    id: Id
    status: Word
    author: Id | None = None


class ListRows(Message, frozen=True, kw_only=True):
    """Body of `list`: everything of a table; of appointments and blocks what touches the local days.

    `after`: the `next` of the answer before.
    """

    table: Table
    first: date
    last: date
    after: Cursor | None = None


class Rows(Message, frozen=True, kw_only=True):
    """Rows in answer to a call; `next`: there are more. `complete` False: the agent broke off."""

    rows: tuple[AnyRow, ...]
    complete: bool = True
    next: Cursor | None = None
    as_of: Instant | None = None


class ExportConversation(Message, frozen=True, kw_only=True):
    """Body of `export_conversation`: an attachment of a medical note, with its author; answered with `Created`."""

    client: Id
    patient: Id | None = None
    title: Name
    text: Text
    ended: Instant
    author: Id
    marker: Id


class Resend(Message, frozen=True, kw_only=True):
    """Body of `resend`: push this feed again from its beginning; answered with an empty `Done`."""

    feed: Word


class Done(Message, frozen=True, kw_only=True):
    """Nothing to tell."""
