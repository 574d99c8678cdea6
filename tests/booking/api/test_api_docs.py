"""`docs/api.md` says what the API does: its problems are those of the code, its lines of curl work as they stand."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from booking.api.problems import BROKEN, OF_FRAMEWORK, PROBLEMS, UNAVAILABLE, Kind
from tests.booking.api.serving import served
from tests.widget.cedar_hill import SAMS_PHONE, CedarHill

DOCS = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def row(kind: Kind) -> str:
    """Return a problem's line of the table."""
    return f"| `{kind.code}` | {kind.status} | {kind.title} | {'yes' if kind.retryable else ''} |"


def test_the_table_of_problems_is_that_of_the_code() -> None:
    kinds = {kind.code: kind for kind in reversed([*PROBLEMS.values(), *OF_FRAMEWORK.values(), BROKEN, UNAVAILABLE])}
    begin = "| code | status | | retryable |\n| --- | --- | --- | --- |\n"
    assert begin + "\n".join(row(kinds[code]) for code in sorted(kinds)) + "\n" in DOCS


def commands() -> list[tuple[str, dict[str, str]]]:
    """Return each line of curl, and what the next ones take from its answer, by the names they use."""
    block = DOCS.split("```sh\n")[1].split("```")[0]
    found = []
    for command in re.split(r"\n(?=curl )", block)[1:]:
        text, _, comment = command.rpartition(" # ") if " # " in command else (command, "", "")
        found.append((text.strip(), dict(re.findall(r"([A-Z]+)=([a-zA-Z0-9.\[\]]+)", comment))))
    return found


def picked(answer: Any, path: str) -> str:  # noqa: ANN401 - any JSON
    """Follow `days[].slots[0].token` into an answer; `[]` is the last one that has something in it."""
    for step in re.findall(r"\w+|\[\d*\]", path):
        if step == "[]":
            answer = [one for one in answer if one.get("slots", True)][-1]
        else:
            answer = answer[int(step[1:-1])] if step.startswith("[") else answer[step]
    return str(answer)


def sent(command: str, names: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Run a line as a shell would; what was answered."""
    curl = command.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
    done = subprocess.run(["sh", "-c", curl], env={**os.environ, **names}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)


async def test_the_lines_of_curl_lead_from_a_free_time_to_a_booking_and_away_from_it(
    cedar_hill: CedarHill, database_url: str, redis_url: str
) -> None:
    async with served(database_url, redis_url) as address:
        names = {
            "A": f"{address}/api/v1",
            "P": f"{address}/api/v1/practices/{cedar_hill.practice.slug}",
            "FROM": cedar_hill.today.isoformat(),
            "TO": (cedar_hill.today + timedelta(days=13)).isoformat(),
            "PHONE": SAMS_PHONE,
        }
        answers = []
        for command, takes in commands():
            if "$CODE" in command:
                names["CODE"] = await cedar_hill.code()
            answers.append(await asyncio.to_thread(sent, command, names))
            names |= {name: picked(answers[-1], path) for name, path in takes.items()}
    assert answers[-1]["reference"] == names["REFERENCE"]
    assert answers[-1]["status"] == "cancelled"
    assert len(answers) == 9
