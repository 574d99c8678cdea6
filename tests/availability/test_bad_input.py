"""Input that cannot stand: one error that names the faulty field, nothing answered, in bounded time and memory."""

from __future__ import annotations

import json
import re
import resource as limits
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from availability import ProblemError, decode, explain, prepare, solve
from tests.availability.monday import change, exam, local, minutes, need, question, resource, step

ROOT = Path(__file__).parents[2]

WEEKDAYS = {"starts": "2026-01-05T09:00", "duration": "PT3H", "rrule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}
GOOD: dict[str, Any] = {
    "timezone": "America/New_York",
    "now": "2026-03-01T12:00:00-05:00",
    "window": {"start": "2026-03-02T00:00:00-05:00", "end": "2026-03-03T00:00:00-05:00"},
    "closures": [{"from": "2026-12-25", "to": "2026-12-25"}],
    "hours": [WEEKDAYS],
    "resources": [
        {
            "id": "dr-lee",
            "person": "lee",
            "capacity": 1,
            "hours": [WEEKDAYS],
            "overrides": [{"date": "2026-03-10", "hours": [{"from": "10:00", "to": "12:00"}]}],
            "busy": [{"start": "2026-03-02T14:00:00Z", "end": "2026-03-02T14:30:00Z"}],
            "block_offs": [{"starts": "2026-03-02T11:00", "duration": "PT30M"}],
            "booked_on": {"2026-03-02": 5},
        },
        {"id": "nurse"},
    ],
    "rules": [
        {
            "name": "surgery mornings",
            "effect": "reserve",
            "when": [{"starts": "2026-01-06T09:00", "duration": "PT3H", "rrule": "FREQ=WEEKLY"}],
            "appointment_types": ["surgery"],
            "resources": ["dr-lee"],
            "release": "PT24H",
        }
    ],
    "visits": [
        {
            "appointment_type": "exam",
            "steps": [
                {"duration": "PT10M", "needs": [{"role": "technician", "any_of": ["nurse"], "count": 1}]},
                {"duration": "PT20M", "needs": [{"role": "veterinarian", "any_of": ["dr-lee"]}]},
            ],
            "buffer_before": "PT5M",
            "buffer_after": "PT5M",
            "grid": {"every": "PT15M", "anchor": "midnight", "offset": "PT0M"},
            "grid_for": {"nurse": {"starts": ["09:00", "09:40"]}},
            "notice": "PT1H",
            "horizon": "P60D",
            "max_per_day": 9,
            "max_per_resource_day": 9,
            "booked_on": {"2026-03-02": 1},
        }
    ],
    "arrangement": "back_to_back",
    "same_roles": [],
    "commitments": [
        {
            "id": "lunch",
            "earliest": "2026-03-02T15:00:00Z",
            "latest": "2026-03-02T16:00:00Z",
            "steps": [{"duration": "PT30M", "needs": [{"role": "veterinarian", "any_of": ["dr-lee"]}]}],
        }
    ],
    "protect": [
        {
            "visit": {
                "appointment_type": "surgery",
                "steps": [{"duration": "PT1H", "needs": [{"role": "veterinarian", "any_of": ["dr-lee"]}]}],
                "grid": {"every": "PT30M"},
            },
            "weight": 2,
        }
    ],
    "offer": {"policy": "all", "at_least": 6},
}
"""A problem in which every field of the contract occurs."""

MISSING = object()


def with_value(path: str, value: object) -> bytes:
    """The good problem with one field replaced, added or (MISSING) taken away."""
    document = json.loads(json.dumps(GOOD))
    *way, last = [int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]]+", path)]
    place: Any = document
    for key in way:
        place = place[key]
    if value is MISSING:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return json.dumps(document).encode()


def answer_to(document: bytes) -> object:
    return solve(decode(document))


def refused(document: bytes) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        answer_to(document)
    return caught.value


def test_the_problem_in_which_every_field_occurs_is_answered() -> None:
    assert len(solve(decode(json.dumps(GOOD).encode())).slots) > 0


FAULTS: list[tuple[str, str, object]] = [
    ("a zone that does not exist", "timezone", "America/Nowhere"),
    ("a zone that is a path", "timezone", "../../etc/passwd"),
    ("a zone that is empty", "timezone", ""),
    ("a zone with a zero byte", "timezone", "UTC\0"),
    ("a zone that is a folder", "timezone", "America"),
    ("a naive now", "now", "2026-03-01T12:00:00"),
    ("a now that is a number", "now", 0),
    ("a now that is null", "now", None),
    ("a now that is nonsense", "now", "tomorrow"),
    ("a now on a day that does not exist", "now", "2026-02-30T12:00:00Z"),
    ("a naive start of the window", "window.start", "2026-03-02T00:00:00"),
    ("a start of the window that is a number", "window.start", 1772427600),
    ("a window's end before its start", "window.end", "2026-03-01T00:00:00Z"),
    ("a window of centuries", "window.end", "2199-03-01T00:00:00Z"),
    ("a window without an end", "window.end", MISSING),
    ("a closure's end before its start", "closures[0].to", "2026-12-24"),
    ("a closure that is an instant", "closures[0].from", "2026-12-25T00:00:00Z"),
    ("an rrule that is nonsense", "hours[0].rrule", "whenever"),
    ("an rrule of an unknown frequency", "hours[0].rrule", "FREQ=FORTNIGHTLY"),
    ("an rrule with a part too many", "hours[0].rrule", "FREQ=DAILY;SURPRISE=1"),
    ("an rrule that is empty", "hours[0].rrule", ""),
    ("an rrule every zero days", "hours[0].rrule", "FREQ=DAILY;INTERVAL=0"),
    ("an rrule with two ends that are no dates", "hours[0].rrule", "FREQ=DAILY;UNTIL=soon"),
    ("recurring time that starts at an instant", "hours[0].starts", "2026-01-05T09:00:00Z"),
    ("recurring time that starts at a number", "hours[0].starts", 9),
    ("a duration that is a number", "hours[0].duration", 180),
    ("a duration that is nonsense", "hours[0].duration", "three hours"),
    ("a duration below zero", "hours[0].duration", "-PT3H"),
    ("two resources with one id", "resources[1].id", "dr-lee"),
    ("a resource without an id", "resources[1].id", MISSING),
    ("an id that is a number", "resources[1].id", 7),
    ("a capacity of zero", "resources[0].capacity", 0),
    ("a capacity of a half", "resources[0].capacity", 0.5),
    ("an rrule of a resource that is nonsense", "resources[0].hours[0].rrule", "FREQ=DAILY;BYDAY=XX"),
    ("an override's end before its start", "resources[0].overrides[0].hours[0].to", "09:00"),
    ("an override at 25 o'clock", "resources[0].overrides[0].hours[0].from", "25:00"),
    ("an override until 24:30", "resources[0].overrides[0].hours[0].to", "24:30"),
    ("an override from a number", "resources[0].overrides[0].hours[0].from", 10),
    ("a busy span's end before its start", "resources[0].busy[0].end", "2026-03-02T13:00:00Z"),
    ("a naive busy span", "resources[0].busy[0].start", "2026-03-02T14:00:00"),
    ("a busy span of numbers", "resources[0].busy[0].start", 1772460000),
    ("a block-off below zero", "resources[0].block_offs[0].duration", "-PT30M"),
    ("visits booked on no day", "resources[0].booked_on", {"someday": 1}),
    ("fewer than no visits booked", "resources[0].booked_on", {"2026-03-02": -1}),
    ("an effect that does not exist", "rules[0].effect", "forbid"),
    ("a rule for an unknown resource", "rules[0].resources[0]", "dr-who"),
    ("a rule's rrule that is nonsense", "rules[0].when[0].rrule", "FREQ=NEVER"),
    ("a release below zero", "rules[0].release", "-PT1H"),
    ("a release of a rule that denies", "rules[0].effect", "deny"),
    ("no visits", "visits", []),
    ("a visit without steps", "visits[0].steps", []),
    ("a step without time", "visits[0].steps[1].duration", "PT0M"),
    ("a step of less than no time", "visits[0].steps[1].duration", "-PT20M"),
    ("a step of ninety seconds", "visits[0].steps[1].duration", "PT90S"),
    ("a step of a year", "visits[0].steps[1].duration", "P366D"),
    ("a first step without needs", "visits[0].steps[0].needs", []),
    ("an unknown resource in a need", "visits[0].steps[1].needs[0].any_of[0]", "dr-who"),
    ("a count of zero", "visits[0].steps[1].needs[0].count", 0),
    ("a role twice in a step", "visits[0].steps[1].needs[1].role", None),
    ("a role with another count in another step", "visits[0].steps[1].needs[1].count", None),
    ("a buffer below zero", "visits[0].buffer_before", "-PT5M"),
    ("a buffer of seconds", "visits[0].buffer_after", "PT5S"),
    ("a grid of nothing", "visits[0].grid", {}),
    ("a grid of both kinds", "visits[0].grid", {"every": "PT15M", "starts": ["09:00"]}),
    ("a grid every zero minutes", "visits[0].grid.every", "PT0M"),
    ("a grid of seconds", "visits[0].grid.every", "PT15S"),
    ("a grid from nowhere", "visits[0].grid.anchor", "noon"),
    ("a grid that starts below zero", "visits[0].grid.offset", "-PT5M"),
    ("a grid at 9", "visits[0].grid_for.nurse.starts[1]", "9"),
    ("a grid at 24:00", "visits[0].grid_for.nurse.starts[1]", "24:00"),
    ("a grid for an unknown resource", "visits[0].grid_for.dr-who", {"every": "PT15M"}),
    ("a notice below zero", "visits[0].notice", "-PT1H"),
    ("a notice of ages", "visits[0].notice", "P99999999D"),
    ("a horizon below zero", "visits[0].horizon", "-P60D"),
    ("a cap below zero", "visits[0].max_per_day", -1),
    ("a cap per resource below zero", "visits[0].max_per_resource_day", -1),
    ("an arrangement that does not exist", "arrangement", "apart"),
    ("a commitment's latest before its earliest", "commitments[0].latest", "2026-03-02T14:59:00Z"),
    ("a naive commitment", "commitments[0].earliest", "2026-03-02T15:00:00"),
    ("an unknown resource in a commitment", "commitments[0].steps[0].needs[0].any_of[0]", "dr-who"),
    ("a commitment without steps", "commitments[0].steps", []),
    ("a weight below zero", "protect[0].weight", -1),
    ("an unknown resource in a protected visit", "protect[0].visit.steps[0].needs[0].any_of[0]", "dr-who"),
    ("a policy that does not exist", "offer.policy", "worst"),
    ("an offer of less than none", "offer.at_least", -1),
    ("an unknown field", "colour", "red"),
    ("an unknown field of a resource", "resources[0].color", "red"),
    ("an unknown field of a need", "visits[0].steps[0].needs[0].roles", ["technician"]),
    ("a list where an object belongs", "window", []),
    ("an object where a list belongs", "resources", {}),
    ("text where a list belongs", "visits[0].steps[0].needs[0].any_of", "nurse"),
]

TWICE = {"role": "veterinarian", "any_of": ["nurse"]}
OTHER_COUNT = {"role": "technician", "any_of": ["nurse", "dr-lee"], "count": 2}
BESIDES = {"visits[0].steps[1].needs[1].role": TWICE, "visits[0].steps[1].needs[1].count": OTHER_COUNT}
AT_ANOTHER_PLACE = {
    "a release of a rule that denies": "rules[0].release",
    "fewer than no visits booked": "resources[0].booked_on[...]",
}


@pytest.mark.parametrize(("name", "path", "value"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_the_error_names_the_path_of_the_faulty_field(name: str, path: str, value: object) -> None:
    document = with_value(path.rpartition(".")[0], BESIDES[path]) if path in BESIDES else with_value(path, value)
    error = refused(document)
    assert error.path == AT_ANOTHER_PLACE.get(name, path)
    assert 0 < len(error.message) < 300
    assert str(error).startswith(error.path)


@pytest.mark.parametrize(
    "document",
    [b"", b"null", b"[]", b"7", b"{", b'"' * 7, b"\xff\xfe", b"{} {}", b"[" * 100_000, b'{"a":' * 100_000],
    ids=["nothing", "null", "a list", "a number", "half", "quotes", "bytes", "two", "deep lists", "deep objects"],
)
def test_what_is_no_problem_at_all_is_one_error(document: bytes) -> None:
    assert refused(document).message


def test_an_error_of_the_second_visit_says_so() -> None:
    problem = question(visits=(exam(), exam(step(30, need("dr-who")))))
    with pytest.raises(ProblemError) as caught:
        solve(problem)
    assert caught.value.path == "visits[1].steps[0].needs[0].any_of[0]"


def test_one_role_with_two_counts_in_visits_that_share_it_is_an_error() -> None:
    pair = exam(step(30, need("dr-lee", "nurse", count=2)))
    problem = question(resource(), resource("nurse"), visits=(exam(), pair), same_roles=("veterinarian",))
    with pytest.raises(ProblemError) as caught:
        solve(problem)
    assert caught.value.path == "visits[1].steps[0].needs[0].count"


BAD = question(resource("dr-lee"), resource("dr-lee"))


@pytest.mark.parametrize(
    "ask", [solve, prepare, lambda problem: explain(problem, local("09:00"))], ids=["solve", "prepare", "explain"]
)
def test_every_way_of_asking_refuses_it(ask: Callable[[object], object]) -> None:
    with pytest.raises(ProblemError) as caught:
        ask(BAD)
    assert caught.value.path == "resources[1].id"


def test_structs_that_were_never_json_are_checked_all_the_same() -> None:
    naive = local("09:00").replace(tzinfo=None)
    with pytest.raises(ProblemError) as caught:
        solve(change(question(), now=naive))
    assert caught.value.path == "now"


def test_a_naive_instant_cannot_be_explained() -> None:
    with pytest.raises(ProblemError) as caught:
        explain(question(), local("09:00").replace(tzinfo=None))
    assert caught.value.path == "start"


def test_warm_questions_are_checked_too() -> None:
    masks = prepare(question())
    with pytest.raises(ProblemError) as caught:
        solve(question(visit=exam(buffer_before=-minutes(5))), masks=masks)
    assert caught.value.path == "visits[0].buffer_before"


def run_bounded(document: bytes, seconds: int = 20, megabytes: int = 1500) -> subprocess.CompletedProcess[bytes]:
    """The command line under a limit of processor time and memory that the system enforces."""

    def limit() -> None:
        limits.setrlimit(limits.RLIMIT_CPU, (seconds, seconds))
        limits.setrlimit(limits.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))

    command = [sys.executable, "-m", "availability", "--lines"]
    return subprocess.run(command, input=document, capture_output=True, check=False, cwd=ROOT, preexec_fn=limit)


def many(path: str, value: object, count: int) -> bytes:
    return with_value(path, [value] * count)


def busy_day(count: int) -> list[dict[str, str]]:
    return [{"start": "2026-03-02T14:00:00Z", "end": "2026-03-02T14:30:00Z"}] * count


ENDLESS = {"starts": "1980-01-01T00:00", "duration": "PT1M", "rrule": "FREQ=MINUTELY"}
NEVER = {"starts": "2026-01-01T00:00", "duration": "PT1M", "rrule": "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"}

HEAVY = {
    "ten megabytes of nonsense": (b"nonsense " * 1_200_000, ""),
    "ten megabytes of brackets": (b"[" * 10_000_000, ""),
    "ten megabytes in one name": (json.dumps({**GOOD, "timezone": "x" * 10_000_000}).encode(), "timezone"),
    "a recurrence without an end by the minute": (with_value("hours[0]", ENDLESS), "hours[0].rrule"),
    "a recurrence that is searched for ever": (with_value("hours[0]", NEVER), "hours[0].rrule"),
    "a recurrence by the second": (
        with_value("hours[0].rrule", "FREQ=SECONDLY"),
        "hours[0].rrule",
    ),
    "ten thousand recurrences by the hour": (
        many("resources[0].block_offs", {**ENDLESS, "rrule": "FREQ=HOURLY"}, 10_000),
        "resources[0].block_offs",
    ),
    "a window of four thousand years": (with_value("window.end", "6026-03-02T00:00:00Z"), "window.end"),
    "a duration of a million years": (
        with_value("visits[0].steps[0].duration", "P365000000D"),
        "visits[0].steps[0].duration",
    ),
}


@pytest.mark.parametrize(("document", "path"), HEAVY.values(), ids=HEAVY.keys())
def test_heavy_nonsense_is_one_error_in_bounded_time_and_memory(document: bytes, path: str) -> None:
    done = run_bounded(document + b"\n")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["error"]["path"].startswith(path)
    assert json.loads(line)["error"]["message"]


HEAVY_BUT_GOOD = {
    "a hundred thousand busy spans": with_value("resources[0].busy", busy_day(100_000)),
    "a year's window": with_value("window.end", "2027-03-01T00:00:00Z"),
    "a thousand resources": json.dumps(
        {**GOOD, "resources": [*GOOD["resources"], *({"id": f"r{n}", "hours": [WEEKDAYS]} for n in range(1000))]}
    ).encode(),
    "a recurrence that began in 1980": with_value("hours[0]", {**WEEKDAYS, "starts": "1980-01-07T09:00"}),
    "a capacity of a billion": with_value("resources[0].capacity", 10**9),
    "a cap of a billion": with_value("visits[0].max_per_day", 10**9),
}


@pytest.mark.parametrize("document", HEAVY_BUT_GOOD.values(), ids=HEAVY_BUT_GOOD.keys())
def test_heavy_sense_is_answered_in_bounded_time_and_memory(document: bytes) -> None:
    done = run_bounded(document + b"\n")
    (line,) = done.stdout.splitlines()
    assert "slots" in json.loads(line)
