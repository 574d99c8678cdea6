"""The rules of the design that a reader could break without noticing: where SQL stands, and who looks at the clock.

Each rule is a function from a module's source to its breaches; each is also shown a module that breaks it. Which
package may import which is import-linter's business (`make lint`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("availability", "booking", "pims_adapters", "widget")

MAY_HOLD_SQL = {
    "booking/db/": "this is where SQL lives",
    "pims_adapters/demo/clinic/": "another system, with a database of its own",
    "widget/embedded/postgres.py": "makes the role and the database that everything else connects to",
}
MAY_READ_THE_CLOCK = {
    "booking/api/": "a route says when it was asked",
    "booking/worker.py": "decides what is due",
    "pims_adapters/_agent/agent/": "runs on the practice's own server and tells its time",
    "pims_adapters/demo/clinic/": "another system, with a clock of its own",
    "widget/clock.py": "the pages' routes say when they were asked",
    "widget/demo/": "seeds around today, and measures how long a start takes",
    "widget/embedded/": "waits for servers",
}

SQL = re.compile(
    r"""\s*(?:
        SELECT\s | select\s.*\sfrom\s | (?i:insert\s+into\s) | (?i:delete\s+from\s) | UPDATE\s | update\s.*\sset\s
      | (?i:with\s+(?:recursive\s+)?\w+(?:\s*\([\w\s,]*\))?\s+as\s+(?:(?:not\s+)?materialized\s*)?\()
      | (?:CREATE|ALTER|DROP|TRUNCATE|LISTEN|NOTIFY|SET\s+LOCAL|LOCK\s+TABLE|COPY|VALUES)\s
      | (?:create|alter|drop|truncate)\s+(?:table|index|extension|database|role|type)\s
    )""",
    re.VERBOSE | re.DOTALL,
)
CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "monotonic", "monotonic_ns", "perf_counter"},
}
IMPURE_MODULES = {
    "asyncio", "http", "importlib", "locale", "logging", "os", "pathlib", "random", "secrets", "shutil", "signal",
    "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
IMPURE_CALLS = {"open", "input", "print", "breakpoint", "exec", "eval", "__import__"}


def looks_like_sql(text: str) -> bool:
    """Tell whether a string begins as a statement does."""
    return SQL.match(text) is not None


def sql_in(source: str) -> list[str]:
    """Return where a module holds statements, docstrings left out."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"line {node.lineno}: {node.value.strip().splitlines()[0][:60]}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and looks_like_sql(node.value)
    ]


def clocks_in(source: str) -> list[str]:
    """Return where a module reads a clock, or takes a clock function to read it under another name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if node.attr in CLOCKS.get(owner, set()):
                found.append(f"line {node.lineno}: {owner}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [f"line {node.lineno}: time.{a.name}" for a in node.names if a.name in CLOCKS["time"]]
        elif isinstance(node, ast.ImportFrom) and node.module == "datetime":
            found += [
                f"line {node.lineno}: {a.name} as {a.asname}" for a in node.names if a.asname and a.name in CLOCKS
            ]
    return found


def impurities_in(source: str) -> list[str]:
    """Return where a module could reach the environment, a clock, a file or the network."""
    found = clocks_in(source)
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            found.append(f"line {node.lineno}: {node.func.id}()")
        found += [f"import {name}" for name in names if name.split(".")[0] in IMPURE_MODULES]
    return found


def statements_inside_functions(source: str) -> list[str]:
    """Return the statements that are not constants of their module."""
    return [
        breach
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for breach in sql_in(ast.unparse(node))
    ]


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    """Return every module of these folders: its path from the root, and its source."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def breaches(rule: Callable[[str], list[str]], *folders: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """Return every breach of a rule outside the places that are allowed to."""
    return [
        f"{path}, {breach}"
        for path, source in modules(*folders)
        if not path.startswith(allowed)
        for breach in rule(source)
    ]


def test_sql_stands_in_booking_db_only() -> None:
    assert breaches(sql_in, *PACKAGES, allowed=tuple(MAY_HOLD_SQL)) == []


def test_every_statement_is_a_constant_of_its_module() -> None:
    assert breaches(statements_inside_functions, "booking/db") == []


def test_the_clock_is_read_at_the_edges_only() -> None:
    assert breaches(clocks_in, *PACKAGES, allowed=tuple(MAY_READ_THE_CLOCK)) == []


def test_the_engine_reads_no_environment_clock_file_or_network() -> None:
    assert breaches(impurities_in, "availability", allowed=("availability/__main__.py",)) == []


def test_every_package_was_looked_at() -> None:
    assert {path.split("/")[0] for path, _source in modules(*PACKAGES)} == set(PACKAGES)


@pytest.mark.parametrize(
    "bad",
    [
        'x = "SELECT 1"',
        'x = """\n  select name\n  from client\n"""',
        'conn.execute(f"SELECT * FROM {table}")',
        'x = "insert into client values ($1)"',
        'x = "DELETE FROM client"',
        'x = "UPDATE client SET name = $1"',
        'x = "WITH due AS (SELECT 1) SELECT * FROM due"',
        'x = "WITH RECURSIVE tree (id) AS MATERIALIZED (SELECT 1) TABLE tree"',
        'x = "create table t (id int)"',
    ],
)
def test_sql_is_found(bad: str) -> None:
    assert sql_in(bad)
    assert statements_inside_functions(f"def f():\n    {bad.splitlines()[0]}{bad[len(bad.splitlines()[0]) :]}")


@pytest.mark.parametrize(
    "good",
    [
        '"""SELECT is explained in this docstring."""',
        'x = "Select a time from the list"',
        'x = "Update your settings"',
        'x = "with a cat"',
        'x = "Delete"',
        'x = "Create an account"',
    ],
)
def test_words_for_people_are_not_taken_for_sql(good: str) -> None:
    assert sql_in(good) == []


@pytest.mark.parametrize(
    "bad",
    [
        "from datetime import datetime, UTC\nx = datetime.now(UTC)",
        "import datetime\nx = datetime.datetime.now()",
        "import datetime as dt\nx = dt.datetime.utcnow()",
        "from datetime import datetime as clock",
        "from datetime import date\nx = date.today()",
        "import time\nx = time.time()",
        "from time import monotonic",
        "from datetime import datetime\nread = datetime.now",
    ],
)
def test_a_clock_is_found(bad: str) -> None:
    assert clocks_in(bad)


def test_an_instant_that_was_passed_in_is_no_clock() -> None:
    assert clocks_in("def due(now, problem):\n    return problem.now < now.date()") == []


@pytest.mark.parametrize(
    "bad", ["import os", "from pathlib import Path", "import http.client", "open('x')", "import random", "print(1)"]
)
def test_an_impurity_is_found(bad: str) -> None:
    assert impurities_in(bad)
