"""What a change must keep to: the engine's own checks on times and visits, and what no client could use or understand.

Each check says what is wrong with which field, by its path; nothing is changed where there is anything to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct
from phonenumbers import SUPPORTED_REGIONS

from availability import ProblemError, SlotProblem, prepare
from booking.configure.set_up import (
    SetUp,
    a_day_from,
    empty_schedule,
    engine_closure,
    engine_resource,
    engine_rule,
    engine_visit,
)
from booking.db.configuration import (
    BlockOffSettings,
    ClosureSettings,
    PracticeSettings,
    QuestionSettings,
    ResourceSettings,
    RuleSettings,
    Settings,
    TypeSettings,
)

ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:\d{1,5})?")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LONGEST_NAME = 60
LONGEST_CLOSURE = timedelta(days=400)


class Wrong(Struct, frozen=True, kw_only=True):
    """What is wrong with one field, by its path: `steps[0].duration`."""

    path: str
    message: str


def wrong_with(id_: UUID, settings: Settings, set_up: SetUp, now: datetime) -> list[Wrong]:
    """Return everything that is wrong with what one thing is to become, in a set-up."""
    match settings:
        case PracticeSettings():
            found = practice_is_sound(settings)
        case TypeSettings():
            found = type_can_be_understood_and_served(settings)
        case ResourceSettings():
            found = roles_are_told_once(settings)
        case RuleSettings():
            found = rule_speaks_of_what_there_is(settings, set_up)
        case ClosureSettings():
            found = closure_has_an_end(settings)
        case BlockOffSettings():
            found = block_off_is_of_a_resource(settings, set_up)
        case QuestionSettings():
            found = question_can_be_answered(settings, set_up)
        case _:
            raise TypeError(type(settings))
    return [*found, *engine_takes_it(id_, settings, set_up, now)]


def practice_is_sound(one: PracticeSettings) -> Iterator[Wrong]:
    """Names that people see, origins that browsers know, times that make sense."""
    if not one.name.strip():
        yield Wrong(path="name", message="Please enter the practice's name.")
    for number, origin in enumerate(one.allowed_origins):
        if not ORIGIN.fullmatch(origin):
            yield Wrong(
                path=f"allowed_origins[{number}]", message="Write it like https://www.example.com, without a path."
            )
    for number, language in enumerate(one.languages):
        if not LANGUAGE.fullmatch(language):
            yield Wrong(path=f"languages[{number}]", message="Write a language tag, such as en or en-US.")
    yield from _between("hold_for", one.hold_for, MINUTE, 60 * MINUTE, "from 1 minute to an hour")
    yield from _between("freshness_limit", one.freshness_limit, MINUTE, DAY, "from 1 minute to a day")
    yield from _between("stale_notice", one.stale_notice, timedelta(), 30 * DAY, "from 0 to 30 days")
    yield from _between("cancel_window", one.cancel_window, timedelta(), 30 * DAY, "from 0 to 30 days")
    yield from _between("reschedule_window", one.reschedule_window, timedelta(), 30 * DAY, "from 0 to 30 days")
    yield from _between("waitlist_hold_for", one.waitlist_hold_for, 5 * MINUTE, DAY, "from 5 minutes to a day")
    for number, country in enumerate(one.text_countries):
        if country not in SUPPORTED_REGIONS:
            yield Wrong(path=f"text_countries[{number}]", message="Write a country's two letters, such as US.")


def type_can_be_understood_and_served(one: TypeSettings) -> Iterator[Wrong]:
    """A name, a length and a notice that a client can live with; somebody assigned."""
    length = sum((step.duration for step in one.steps), timedelta())
    if not 1 <= len(one.name.strip()) <= LONGEST_NAME:
        yield Wrong(path="name", message="The name must have 1 to 60 letters.")
    if one.mode == "instant" and one.steps:
        yield from _between("steps", length, 5 * MINUTE, 12 * 60 * MINUTE, "from 5 minutes to 12 hours", "length")
    if one.bookable_online and one.mode == "instant" and not one.steps:
        yield Wrong(path="steps", message="Nobody is assigned to this type yet, so it cannot be booked online.")
    yield from _between("notice", one.notice, timedelta(), 365 * DAY, "from 0 minutes to a year")
    yield from _between("horizon", one.horizon, MINUTE, 400 * DAY, "from 1 minute to 400 days")
    for number, variant in enumerate(one.variants):
        path = f"variants[{number}].length"
        yield from _between(path, variant.length, 5 * MINUTE, 12 * 60 * MINUTE, "from 5 minutes to 12 hours", "length")


def roles_are_told_once(one: ResourceSettings) -> Iterator[Wrong]:
    """A role twice would look like two."""
    for number, role in enumerate(one.roles):
        if role != role.strip() or role in one.roles[:number]:
            yield Wrong(path=f"roles[{number}]", message="Write each role once, without spaces around it.")


def rule_speaks_of_what_there_is(one: RuleSettings, set_up: SetUp) -> Iterator[Wrong]:
    """Types and resources that are in use; some time at all."""
    yield from _unknown("appointment_types", one.appointment_types or [], set_up.types, "appointment type")
    yield from _unknown("resources", one.resources or [], set_up.resources, "resource")
    if not one.when:
        yield Wrong(path="when", message="Please say when the rule holds.")


def closure_has_an_end(one: ClosureSettings) -> Iterator[Wrong]:
    """A closure ends after it begins, and within a year or so."""
    if one.last < one.first:
        yield Wrong(path="last", message="The last day is before the first.")
    elif one.last - one.first > LONGEST_CLOSURE:
        yield Wrong(path="last", message="A closure can be 400 days long at most.")


def block_off_is_of_a_resource(one: BlockOffSettings, set_up: SetUp) -> Iterator[Wrong]:
    """Somebody's time is blocked off."""
    yield from _unknown("resource_id", [one.resource_id], set_up.resources, "resource", listed=False)


def question_can_be_answered(one: QuestionSettings, set_up: SetUp) -> Iterator[Wrong]:
    """Choices where there is a choice, and only there; types that are in use."""
    if (one.kind == "choice") != bool(one.choices):
        yield Wrong(path="choices", message="A question with a choice needs choices, and no other has any.")
    yield from _unknown("appointment_types", one.appointment_types or [], set_up.types, "appointment type")


def engine_takes_it(id_: UUID, settings: Settings, set_up: SetUp, now: datetime) -> Iterator[Wrong]:
    """What the engine says of it: times that can be followed, steps and grids that can be served."""
    bare = msgspec.structs.replace(set_up, rules={}, block_offs={}, types={})
    problem: SlotProblem = empty_schedule(bare, a_day_from(now))
    under = ""
    match settings:
        case PracticeSettings():
            problem = msgspec.structs.replace(problem, timezone=settings.timezone, hours=settings.hours)
        case TypeSettings() if settings.steps:
            problem = msgspec.structs.replace(problem, visits=(engine_visit(id_, settings, bare),))
            under = "visits[0]."
        case ResourceSettings():
            problem = msgspec.structs.replace(problem, resources=(engine_resource(id_, settings),))
            under = "resources[0]."
        case RuleSettings():
            problem = msgspec.structs.replace(problem, rules=(engine_rule(settings, bare),))
            under = "rules[0]."
        case ClosureSettings() if settings.first <= settings.last:
            problem = msgspec.structs.replace(problem, closures=(engine_closure(settings),))
            under = "closures[0]."
        case BlockOffSettings() if (blocked := set_up.resources.get(settings.resource_id)) is not None:
            resource = engine_resource(settings.resource_id, blocked, (settings.time,))
            problem = msgspec.structs.replace(problem, resources=(resource,))
            under = "resources[0]."
    try:
        prepare(problem)
    except ProblemError as error:
        path = error.path.removeprefix(under).replace("block_offs[0]", "time")
        yield Wrong(path=path, message=f"This {error.message}.")


def _between(
    path: str, value: timedelta, least: timedelta, most: timedelta, words: str, noun: str = ""
) -> Iterator[Wrong]:
    if not least <= value <= most:
        yield Wrong(path=path, message=f"The {noun or path.replace('_', ' ')} must be {words}.")


def _unknown(
    path: str,
    named: list[UUID],
    known: dict[UUID, TypeSettings] | dict[UUID, ResourceSettings],
    noun: str,
    *,
    listed: bool = True,
) -> Iterator[Wrong]:
    for number, id_ in enumerate(named):
        if id_ not in known:
            where = f"{path}[{number}]" if listed else path
            yield Wrong(path=where, message=f"There is no such {noun} in use.")
