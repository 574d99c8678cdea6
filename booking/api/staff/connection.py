"""The practice's connection to its PIMS: asked for, set up, tried, live, paused. Its credentials are never shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post, put
from litestar.params import JSONBody
from msgspec import Meta, Struct

from booking.agents.relay import DatabaseRelay
from booking.agents.tokens import NoAgentNeeded, issue_token, revoke_token, token_again
from booking.agents.wakes import Wakes
from booking.api.given import REPEATABLE, TheKey, ThePool, TheSite, now
from booking.api.problems import declared
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.api.staff.wire import on_the_wire
from booking.connect import entered, steps, trial
from booking.connect.mapping import ImportSettings, Mapping
from booking.connect.refusals import (
    ConnectionBegun,
    ConnectionUnknown,
    SettingsRefused,
    StepOutOfOrder,
    SystemUnknown,
    TermsNotAccepted,
)
from booking.connect.survey import Survey
from booking.connect.todo import By, Step, todo
from booking.db.connection_steps import Found, PracticeInformation, Steps, steps_of
from booking.db.connections import Status
from booking.db.pool import Pool, of_practice
from booking.once import KeyBusy, KeyMissing, KeyReused, keep, once
from pims_adapters import system_of, systems

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
OF_STEP = (*REFUSED, ConnectionUnknown, StepOutOfOrder)

Line = Annotated[str, Meta(min_length=1, max_length=200)]
Secret = Annotated[str, Meta(max_length=4_000)]


class SettingAsked(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something to be entered. A `secret` is kept encrypted and never shown again; `given`: there is one."""

    name: str
    label: str
    help: str
    secret: bool
    required: bool
    given: bool = False


class SystemOffered(Struct, frozen=True, kw_only=True, rename="camel"):
    """A PIMS that can be connected. `thirdParty`: who has to switch it on; `agent`: one is installed beside it."""

    id: str
    name: str
    third_party: str
    agent: bool
    settings: list[SettingAsked]


class SystemsOffered(Struct, frozen=True, kw_only=True, rename="camel"):
    """All that can be connected, and the version of the terms that are accepted with it."""

    items: list[SystemOffered]
    terms: str


class Asked(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which PIMS, who the practice is, and the terms that were read and accepted."""

    system: Line
    name: Line
    address: Line
    phone: Line
    contact_name: Line
    contact_email: Line
    terms: Line


class Activation(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How far the third party is: asked, or done."""

    done: bool


class Entered(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Address and credentials, and the practice's identifier where a third party gave one. A secret left out stays."""

    settings: Annotated[dict[Line, Secret], Meta(max_length=50)]
    practice_identifier: Line | None = None


# What the steps keep, with its names in camelCase; unknown members are refused.
Mapped: Any = on_the_wire(Mapping)
Imported: Any = on_the_wire(ImportSettings)
Checked: Any = on_the_wire(Found)
Surveyed: Any = on_the_wire(Survey)


class GoLive(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`acceptConflicts`: what the dry run found was read, and the import is to begin all the same."""

    accept_conflicts: bool = False


class Pause(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why nothing is to be read or written for a while."""

    because: Line


class AgentToken(Struct, frozen=True, kw_only=True, rename="camel"):
    """The token of an agent. It is shown here only."""

    token: str


class NewAgentToken(Struct, frozen=True, kw_only=True):
    """What is asked for, as an Idempotency-Key remembers it."""

    connection_id: UUID


class StepShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A step: done, or by whom and why not yet."""

    step: Step
    done: bool
    by: By
    explanation: str


class ConnectionShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """The connection as it stands. `next`: the first step that is not done. `survey`: what the PIMS was found to hold.

    `failure`: why the PIMS cannot be read at present, since `failingSince`; `asOf`: our copy shows it as it was then.
    """

    id: UUID
    system: SystemOffered
    status: Status
    steps: list[StepShown]
    next: Step | None
    settings: dict[str, str]
    practice_identifier: str | None
    checked: Checked | None
    mapping: Mapped | None
    import_settings: Imported | None
    survey: Surveyed | None
    paused_because: str | None
    failure: str | None
    failing_since: datetime | None
    as_of: datetime | None


@get("/systems", guards=[Needs("configuration:read")], responses=declared(*REFUSED))
async def list_systems(who: TheStaff) -> SystemsOffered:  # noqa: ARG001 - signed in
    """List the practice systems that can be connected, and what each asks for."""
    return SystemsOffered(items=[_system(name) for name in systems()], terms=steps.TERMS)


@get("/", guards=[Needs("configuration:read")], responses=declared(*REFUSED, ConnectionUnknown))
async def read_connection(who: TheStaff, pool: ThePool) -> ConnectionShown:
    """Read how far the connection is, what it found, and what is to be done next, by whom."""
    async with of_practice(pool, who.practice.practice_id) as conn:
        found = await steps_of(conn, who.practice.practice_id)
    if found is None:
        raise ConnectionUnknown(ConnectionUnknown.__doc__)
    return _shown(found)


@post(
    "/",
    guards=[Needs("connection:write")],
    responses=declared(*REFUSED, SystemUnknown, TermsNotAccepted, ConnectionBegun),
)
async def begin_connection(who: TheStaff, pool: ThePool, data: JSONBody[Asked]) -> ConnectionShown:
    """Ask for a connection. A practice has one at a time, so that asking twice is refused and harms nothing."""
    information = PracticeInformation(
        name=data.name,
        address=data.address,
        phone=data.phone,
        contact_name=data.contact_name,
        contact_email=data.contact_email,
    )
    async with of_practice(pool, who.practice.practice_id) as conn, conn.transaction():
        made = await steps.begin(
            conn,
            who.practice,
            adapter=data.system,
            information=information,
            terms=data.terms,
            by=who.actor,
            now=now(),
        )
    return _shown(made)


@post("/activation", guards=[Needs("connection:write")], status_code=200, responses=declared(*OF_STEP))
async def note_activation(who: TheStaff, pool: ThePool, data: JSONBody[Activation]) -> ConnectionShown:
    """Note that the third party was asked to switch the connection on, or that it has done so."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        return _shown(await steps.note_activation(conn, practice_id, done=data.done, by=who.actor, now=now()))


@put("/settings", guards=[Needs("connection:write")], responses=declared(*OF_STEP, SettingsRefused))
async def enter_settings(who: TheStaff, pool: ThePool, site: TheSite, data: JSONBody[Entered]) -> ConnectionShown:
    """Enter address and credentials. Secrets are kept encrypted and never shown again; one left out stays as it is."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        return _shown(
            await entered.enter_settings(
                conn,
                practice_id,
                data.settings,
                identifier=data.practice_identifier,
                secret_key=site.secret_key,
                by=who.actor,
                now=now(),
            )
        )


@post("/check", guards=[Needs("connection:write")], status_code=200, responses=declared(*OF_STEP))
async def check_connection(who: TheStaff, pool: ThePool, site: TheSite) -> ConnectionShown:
    """Try whether the PIMS answers and is the practice's own. Why it does not is told in `checked.problem`."""
    return _shown(
        await entered.check(pool, who.practice.practice_id, secret_key=site.secret_key, relay_of=_relay, now=now())
    )


@post("/survey", guards=[Needs("connection:write")], status_code=202, responses=declared(*OF_STEP))
async def survey_connection(who: TheStaff, pool: ThePool) -> ConnectionShown:
    """Have the whole PIMS read without anything being written: for its names, and with a mapping as the dry run."""
    async with of_practice(pool, who.practice.practice_id) as conn, conn.transaction():
        return _shown(await trial.ask_survey(conn, who.practice.practice_id, now=now()))


@put("/mapping", guards=[Needs("connection:write")], responses=declared(*OF_STEP, SettingsRefused))
async def map_connection(who: TheStaff, pool: ThePool, data: JSONBody[Mapped]) -> ConnectionShown:
    """Say which columns, types and species of the PIMS are which of the practice's with us."""
    mapping = msgspec.convert(data, Mapping, from_attributes=True)
    async with of_practice(pool, who.practice.practice_id) as conn, conn.transaction():
        return _shown(await trial.map_it(conn, who.practice, mapping, by=who.actor, now=now()))


@put("/import", guards=[Needs("connection:write")], responses=declared(*OF_STEP, SettingsRefused))
async def set_import(who: TheStaff, pool: ThePool, data: JSONBody[Imported]) -> ConnectionShown:
    """Choose hour and zone of the nightly part of the import, and how much of the schedule is taken over."""
    practice_id = who.practice.practice_id
    settings = msgspec.convert(data, ImportSettings, from_attributes=True)
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        return _shown(await trial.set_import(conn, practice_id, settings, by=who.actor, now=now()))


@post("/go-live", guards=[Needs("connection:write")], status_code=200, responses=declared(*OF_STEP))
async def go_live(who: TheStaff, pool: ThePool, data: JSONBody[GoLive]) -> ConnectionShown:
    """Begin the import, once everything before it is done. When it is through, the connection is live."""
    practice_id, accept = who.practice.practice_id, data.accept_conflicts
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        return _shown(await steps.go_live(conn, practice_id, accept_conflicts=accept, by=who.actor, now=now()))


@post("/pause", guards=[Needs("connection:write")], status_code=200, responses=declared(*OF_STEP))
async def pause_connection(who: TheStaff, pool: ThePool, data: JSONBody[Pause]) -> ConnectionShown:
    """Stop reading and writing. Clients go on booking what the practice's freshness limit allows; write-backs wait."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        return _shown(await steps.pause(conn, practice_id, data.because, by=who.actor, now=now()))


@post("/resume", guards=[Needs("connection:write")], status_code=200, responses=declared(*OF_STEP))
async def resume_connection(who: TheStaff, pool: ThePool) -> ConnectionShown:
    """Go on after a pause: what changed meanwhile is read first, then what waits is written."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        return _shown(await steps.resume(conn, practice_id, by=who.actor, now=now()))


@post(
    "/agent-token",
    guards=[Needs("connection:write")],
    dependencies=REPEATABLE,
    responses=declared(*REFUSED, ConnectionUnknown, NoAgentNeeded, KeyMissing, KeyReused, KeyBusy),
)
async def issue_agent_token(who: TheStaff, pool: ThePool, site: TheSite, key: TheKey) -> AgentToken:
    """Issue the token with which the agent beside the PIMS comes in. The one before works for a day more."""
    practice_id, at = who.practice.practice_id, now()
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        connection_id = (await steps.locked(conn, practice_id)).connection_id
        kept = await once(conn, practice_id, key, NewAgentToken(connection_id=connection_id), at)
        if kept is not None:
            return AgentToken(token=token_again(site.secret_key, practice_id, connection_id, int(kept)))
        generation, token = await issue_token(
            conn, practice_id, connection_id, by=who.actor, secret_key=site.secret_key, now=at
        )
        await keep(conn, practice_id, key, generation)
    return AgentToken(token=token)


@post("/agent-token/revoke", guards=[Needs("connection:write")], status_code=200, responses=declared(*OF_STEP))
async def revoke_agent_token(who: TheStaff, pool: ThePool) -> ConnectionShown:
    """Let the agent in no more, at once. Revoking again changes nothing."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        found = await steps.locked(conn, practice_id)
        await revoke_token(conn, practice_id, found.connection_id, by=who.actor, now=now())
        return _shown(found)


def _relay(pool: Pool, found: Steps) -> DatabaseRelay | None:
    """Return the line to the agent, where the PIMS speaks through one. A check asks only what the agent said."""
    if not system_of(found.adapter).agent:
        return None
    return DatabaseRelay(pool, Wakes(pool), found.practice_id, found.connection_id, clock=now)


def _system(name: str, given: frozenset[str] = frozenset()) -> SystemOffered:
    system = system_of(name)
    return SystemOffered(
        id=name,
        name=system.name,
        third_party=system.third_party,
        agent=system.agent,
        settings=[
            SettingAsked(
                name=one.name,
                label=one.label,
                help=one.help,
                secret=one.secret,
                required=one.required,
                given=one.name in given,
            )
            for one in system.settings
        ],
    )


def _shown(found: Steps) -> ConnectionShown:
    secrets = {one.name for one in system_of(found.adapter).settings if one.secret}
    given = frozenset(found.settings) | (frozenset(secrets) if found.sealed else frozenset())
    listed = todo(found)
    return ConnectionShown(
        id=found.connection_id,
        system=_system(found.adapter, given),
        status=found.status,
        steps=[StepShown(step=one.step, done=one.done, by=one.by, explanation=one.explanation) for one in listed],
        next=next((one.step for one in listed if not one.done), None),
        settings={name: value for name, value in found.settings.items() if name not in secrets},
        practice_identifier=found.practice_identifier,
        checked=_sent(Checked, found.checked),
        mapping=_sent(Mapped, found.mapping),
        import_settings=_sent(Imported, found.import_settings),
        survey=_sent(Surveyed, found.survey),
        paused_because=found.paused_because,
        failure=found.failure,
        failing_since=found.failing_since,
        as_of=found.as_of,
    )


def _sent(type_: Any, kept: Struct | None) -> Any:  # noqa: ANN401 - types are values here
    return None if kept is None else msgspec.convert(kept, type_, from_attributes=True)


router = Router(
    "/connection",
    route_handlers=[
        list_systems,
        read_connection,
        begin_connection,
        note_activation,
        enter_settings,
        check_connection,
        survey_connection,
        map_connection,
        set_import,
        go_live,
        issue_agent_token,
        revoke_agent_token,
        pause_connection,
        resume_connection,
    ],
)
