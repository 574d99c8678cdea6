"""`python -m availability`: a problem on standard input, the answer on standard output.

With `--lines` every input line is a problem of its own; with `explain INSTANT` the answer says why that start is not
offered.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from availability.answer import Answer, Explanation
from availability.decode import LARGEST, decode
from availability.errors import ProblemError
from availability.explain import explain
from availability.problem import SlotProblem
from availability.solve import solve

Ask = Callable[[SlotProblem], Answer | Explanation]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 for a problem that cannot stand."""
    parser = argparse.ArgumentParser(prog="python -m availability", description=__doc__)
    parser.add_argument("--lines", action="store_true", help="one problem per line, one answer per line")
    commands = parser.add_subparsers(dest="command", metavar="explain INSTANT")
    explaining = commands.add_parser("explain", help="why a start is not offered")
    explaining.add_argument("instant", metavar="INSTANT", help="such as 2026-03-02T15:15:00Z")
    chosen = parser.parse_args(arguments)

    ask: Ask = solve
    if chosen.command == "explain":
        try:
            start = datetime.fromisoformat(chosen.instant)
        except ValueError:
            parser.error(f"no instant: {chosen.instant}")

        def ask(problem: SlotProblem) -> Explanation:
            return explain(problem, start)

    if chosen.lines:
        while line := sys.stdin.buffer.readline(LARGEST + 1):
            if line.strip():
                _print(_answer(line, ask))
            while len(line) > LARGEST and not line.endswith(b"\n"):
                # The rest of a line that was refused for its length is no problem of its own.
                line = sys.stdin.buffer.readline(LARGEST + 1)
        return 0
    answer = _answer(sys.stdin.buffer.read(LARGEST + 1), ask)
    _print(answer)
    return 1 if isinstance(answer, dict) else 0


def _answer(document: bytes, ask: Ask) -> Answer | Explanation | dict[str, dict[str, str]]:
    try:
        return ask(decode(document))
    except ProblemError as error:
        return {"error": {"path": error.path, "message": error.message}}


def _print(answer: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    raise SystemExit(main())
