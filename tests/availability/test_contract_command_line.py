"""The preamble of the contract: JSON in, JSON out, on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

PROBLEM: dict[str, Any] = {
    "timezone": "America/New_York",
    "now": "2026-03-01T12:00:00-05:00",
    "window": {"start": "2026-03-02T00:00:00-05:00", "end": "2026-03-03T00:00:00-05:00"},
    "resources": [
        {
            "id": "dr-lee",
            "hours": [{"starts": "2026-03-02T09:00", "duration": "PT1H"}],
            "busy": [{"start": "2026-03-02T14:30:00Z", "end": "2026-03-02T14:45:00Z"}],
        }
    ],
    "visits": [
        {
            "appointment_type": "exam",
            "steps": [{"duration": "PT15M", "needs": [{"role": "veterinarian", "any_of": ["dr-lee"]}]}],
            "grid": {"every": "PT15M"},
        }
    ],
}
SLOTS = ["2026-03-02T14:00:00Z", "2026-03-02T14:15:00Z", "2026-03-02T14:45:00Z"]
FAULTY = {**PROBLEM, "timezone": "Nowhere"}


def run(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", BARE, *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=ROOT, env={})


BARE = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('availability', run_name='__main__')"
"""`python -m availability` in an interpreter that sees no environment at all."""


def test_a_problem_on_standard_input_is_answered_on_standard_output() -> None:
    done = run(text=json.dumps(PROBLEM))
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["next"], answer["warnings"]) == (None, [])
    assert [slot["start"] for slot in answer["slots"]] == SLOTS
    assert answer["slots"][0] == {
        "start": "2026-03-02T14:00:00Z",
        "end": "2026-03-02T14:15:00Z",
        "resources": {"veterinarian": ["dr-lee"]},
        "score": 0,
    }


def test_an_answer_is_one_json_document_and_nothing_else() -> None:
    done = run(text=json.dumps(PROBLEM, indent=4))
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_faulty_problem_is_one_error_and_nothing_is_answered() -> None:
    done = run(text=json.dumps(FAULTY))
    assert json.loads(done.stdout).keys() == {"error"}
    assert json.loads(done.stdout)["error"]["path"] == "timezone"
    assert done.returncode == 1


def test_lines_answer_one_problem_per_line_and_go_on_after_a_faulty_one() -> None:
    done = run("--lines", text="\n".join([json.dumps(PROBLEM), json.dumps(FAULTY), "nonsense", json.dumps(PROBLEM)]))
    first, second, third, fourth = map(json.loads, done.stdout.splitlines())
    assert first == fourth
    assert [slot["start"] for slot in first["slots"]] == SLOTS
    assert second["error"].keys() == third["error"].keys() == {"path", "message"}
    assert second["error"]["path"] == "timezone"


def test_explain_answers_why_a_start_is_not_offered() -> None:
    done = run("explain", "2026-03-02T14:30:00Z", text=json.dumps(PROBLEM))
    assert json.loads(done.stdout) == {
        "bookable": False,
        "blockers": [
            [
                {
                    "kind": "busy",
                    "resource": "dr-lee",
                    "start": "2026-03-02T14:30:00Z",
                    "end": "2026-03-02T14:45:00Z",
                }
            ]
        ],
    }


def test_explain_says_that_a_start_is_bookable() -> None:
    done = run("explain", "2026-03-02T09:00:00-05:00", text=json.dumps(PROBLEM))
    assert json.loads(done.stdout) == {"bookable": True, "blockers": []}


def test_explain_refuses_a_faulty_problem_too() -> None:
    done = run("explain", "2026-03-02T14:30:00Z", text=json.dumps(FAULTY))
    assert json.loads(done.stdout)["error"]["path"] == "timezone"


@pytest.mark.parametrize("instant", ["2026-03-02T14:30:00", "noon", ""])
def test_explain_refuses_what_is_no_instant(instant: str) -> None:
    done = run("explain", instant, text=json.dumps(PROBLEM))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_the_clock_of_the_machine_makes_no_difference() -> None:
    """A problem of 2018 is answered as if it were 2018."""
    text = json.dumps(PROBLEM).replace("2026-03", "2018-03")
    assert [slot["start"] for slot in json.loads(run(text=text).stdout)["slots"]] == [
        start.replace("2026", "2018") for start in SLOTS
    ]


def test_names_are_snake_case_and_unknown_fields_are_refused() -> None:
    camel = {**PROBLEM, "sameRoles": []}
    assert json.loads(run(text=json.dumps(camel)).stdout)["error"]["path"] == "sameRoles"
