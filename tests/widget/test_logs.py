"""Logs: what happened and where, and not a word that a client said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import structlog
from widget.logs import tell
tell("{level}")
log = structlog.get_logger()
log.info("something.happened", practice="riverside")
try:
    try:
        raise ValueError("Olivia Carter, +12125550101")
    except ValueError as failure:
        raise ExceptionGroup("of Olivia", [failure])
except ExceptionGroup:
    log.exception("worker.round_failed")
"""


def lines_of(level: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert "Olivia" not in done.stderr
    assert "555" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_error_is_told_by_kind_and_place_without_its_words() -> None:
    happened, failed = lines_of("info")
    assert happened["event"] == "something.happened"
    assert happened["practice"] == "riverside"
    assert failed["errors"] == ["ExceptionGroup", "ValueError"]
    assert isinstance(failed["where"], list)
    assert failed["where"]


def test_the_level_that_is_set_is_the_level_that_is_told() -> None:
    assert [line["event"] for line in lines_of("error")] == ["worker.round_failed"]
