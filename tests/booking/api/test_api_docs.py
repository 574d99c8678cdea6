"""`docs/api.md` says what the API does: its problems and its tokens are those of the code."""

from __future__ import annotations

from pathlib import Path

from booking.api.problems import BROKEN, OF_FRAMEWORK, PROBLEMS, UNAVAILABLE, Kind

DOCS = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def row(kind: Kind) -> str:
    """Return a problem's line of the table."""
    return f"| `{kind.code}` | {kind.status} | {kind.title} | {'yes' if kind.retryable else ''} |"


def test_the_table_of_problems_is_that_of_the_code() -> None:
    kinds = {kind.code: kind for kind in reversed([*PROBLEMS.values(), *OF_FRAMEWORK.values(), BROKEN, UNAVAILABLE])}
    begin = "| code | status | | retryable |\n| --- | --- | --- | --- |\n"
    assert begin + "\n".join(row(kinds[code]) for code in sorted(kinds)) + "\n" in DOCS
