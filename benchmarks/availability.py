"""How fast the engine answers, printed as the tables of `docs/availability.md`; `make bench` runs it.

Every timed answer is compared with the slow oracle of the tests: a wrong one ends the run with exit status 1, a slow
one does not. *Cold* is everything from the decoded problem on, with every cache of the engine emptied before; *warm* is
the next question on the same schedule with the masks kept by who asks: another length of visit and another window.
Milliseconds are processor time: the engine waits for nothing, and who else uses the machine is of no matter.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import NamedTuple, TypeVar

import msgspec

from availability import Answer, Explanation, SlotProblem, Span, decode, encode, explain, prepare, solve
from benchmarks.months import any_of, four_pools, with_commitments
from tests.availability import oracle, relief

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
DAY = timedelta(days=1)
MEMORY_GOAL = 20


class Row(NamedTuple):
    """A row of the goal; milliseconds for the median."""

    name: str
    problem: Callable[[], SlotProblem]
    cold: float
    warm: float
    repeats: int
    oracle_days: bool = False
    """Judge day by day: the oracle tries all commitments jointly, and those of a month are too many for that."""


ROWS = [
    Row("1 provider", lambda: any_of(1), 0.5, 0.1, 300),
    Row("any of 10", lambda: any_of(10), 3, 0.4, 150),
    Row("any of 50", lambda: any_of(50), 12, 2, 60),
    Row("provider + technician + room + machine from 10, 8, 8, 2", four_pools, 8, 2, 60),
    Row("a day with 3 unassigned appointments and a floating break", lambda: with_commitments(1), 12, 10, 60),
    Row("a month of such days", lambda: with_commitments(30), 250, 200, 15, oracle_days=True),
]


def empty_caches() -> None:
    """What one question leaves behind for the next, so that a cold one is cold."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "availability":
            for value in vars(module).values():
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()


def next_questions(problem: SlotProblem) -> list[SlotProblem]:
    """Other questions on the same schedule: shorter and longer visits, and the second half of the window."""
    window = problem.window
    later = Span(start=window.start + (window.end - window.start) / 2, end=window.end)
    (visit,) = problem.visits
    (step,) = visit.steps
    questions = []
    for length, asked in ((20, window), (45, window), (30, later)):
        shorter = msgspec.structs.replace(step, duration=timedelta(minutes=length))
        other = msgspec.structs.replace(visit, appointment_type=f"exam of {length}", steps=(shorter,))
        questions.append(msgspec.structs.replace(problem, visits=(other,), window=asked))
    return questions


def judged_starts(problem: SlotProblem, *, by_day: bool) -> list[datetime]:
    """What the oracle offers."""
    if not by_day:
        return oracle.bookable_starts(problem)
    found = []
    start = problem.window.start
    while start < problem.window.end:
        end = start + DAY
        commitments = tuple(c for c in problem.commitments if start <= c.earliest < end)
        day = msgspec.structs.replace(problem, window=Span(start=start, end=end), commitments=commitments)
        found += oracle.bookable_starts(day)
        start = end
    return found


def demand(name: str, answer: Answer, expected: Sequence[datetime]) -> None:
    """End the run where an answer is wrong."""
    found = [slot.start for slot in answer.slots]
    if found != list(expected):
        missing, extra = set(expected) - set(found), set(found) - set(expected)
        sys.exit(f"WRONG: {name}: {len(missing)} starts are missing, {len(extra)} are too many")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What comes out, and after how many milliseconds of this process."""
    start = process_time()
    done = work()
    return done, (process_time() - start) * 1000


def quantile(taken: Sequence[float], share: float) -> float:
    """Of so many milliseconds."""
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * share))]


def cells(taken: Sequence[float], goal: float) -> str:
    """Goal, p50, p99, and p50 as a share of the goal."""
    median = quantile(taken, 0.5)
    return f"{goal:g} | {median:.2f} | {quantile(taken, 0.99):.2f} | {median / goal:.2f}"


def cold(row: Row, problem: SlotProblem, expected: Sequence[datetime]) -> list[float]:
    """Everything, from the decoded problem on."""
    document = encode(problem)
    solve(problem)  # CP-SAT is loaded once a process, when it is first needed
    taken = []
    for _ in range(row.repeats):
        asked = decode(document)
        empty_caches()
        answer, each = timed(partial(solve, asked))
        demand(row.name, answer, expected)
        taken.append(each)
    return taken


def warm(row: Row, problem: SlotProblem) -> list[float]:
    """Each question is the second that its masks are asked, never one they have seen."""
    questions = next_questions(problem)
    expected = [judged_starts(question, by_day=row.oracle_days) for question in questions]
    taken = []
    for number in range(row.repeats):
        question = questions[number % len(questions)]
        masks = prepare(problem)
        solve(problem, masks=masks)
        answer, each = timed(partial(solve, question, masks=masks))
        demand(f"{row.name}, warm", answer, expected[number % len(questions)])
        taken.append(each)
    return taken


def speed() -> Iterator[str]:
    """The rows of the goal, cold and warm, and JSON apart."""
    yield "| problem | starts | cold: goal ms | p50 | p99 | p50/goal | warm: goal ms | p50 | p99 | p50/goal |"
    yield "| --- |" + " ---: |" * 9
    for row in ROWS:
        problem = row.problem()
        expected = judged_starts(problem, by_day=row.oracle_days)
        taken = cold(row, problem, expected), warm(row, problem)
        yield f"| {row.name} | {len(expected)} | {cells(taken[0], row.cold)} | {cells(taken[1], row.warm)} |"


def explaining() -> Iterator[str]:
    """Why a start is not offered at which nobody of ten is free; each explanation judged by the oracle."""
    yield "| explain one start | sets | cold: goal ms | p50 | p99 | p50/goal | warm: goal ms | p50 | p99 | p50/goal |"
    yield "| --- |" + " ---: |" * 9
    for name, problem in (("any of 10", any_of(10)), ("from 10, 8, 8, 2", four_pools())):
        offered = {slot.start for slot in solve(problem).slots}
        mornings = (problem.window.start + DAY * day + timedelta(hours=9) for day in range(1, 30))
        starts = [start for start in mornings if start not in offered][:5]
        document = encode(problem)
        masks = prepare(problem)
        taken: tuple[list[float], list[float]] = ([], [])
        sets = 0
        for start in starts:
            explained = explain(problem, start)
            sets += len(explained.blockers)
            judge_explanation(problem, start, explained)
            for _ in range(20):
                asked = decode(document)
                empty_caches()
                again, each = timed(partial(explain, asked, start))
                taken[0].append(each)
                warmly, each = timed(partial(explain, problem, start, masks=masks))
                taken[1].append(each)
                if not again == warmly == explained:
                    sys.exit(f"WRONG: {name}: {start} is not always explained alike")
        yield f"| {name} | {sets / len(starts):g} | {cells(taken[0], 30)} | {cells(taken[1], 30)} |"


def judge_explanation(problem: SlotProblem, start: datetime, explained: Explanation) -> None:
    """End the run where facts do not open the start, or fewer would."""
    if explained.bookable or not explained.blockers:
        sys.exit(f"WRONG: {start} can be booked")
    for facts in explained.blockers:
        if not relief.opens(problem, facts, start):
            sys.exit(f"WRONG: {start} stays closed without {facts}")
        for number in range(len(facts)):
            if relief.opens(problem, [*facts[:number], *facts[number + 1 :]], start):
                sys.exit(f"WRONG: {start} opens without all of {facts}")


def json_apart() -> Iterator[str]:
    """Decoding problems and encoding answers, which the other tables leave out."""
    yield "| problem | JSON in | decode ms | JSON out | encode ms |"
    yield "| --- |" + " ---: |" * 4
    for row in ROWS:
        document = encode(row.problem())
        answer = solve(row.problem())
        decoding = [timed(partial(decode, document))[1] for _ in range(30)]
        encoding = [timed(partial(msgspec.json.encode, answer))[1] for _ in range(30)]
        sizes = f"{len(document) / 1000:.0f} kB", f"{len(msgspec.json.encode(answer)) / 1000:.0f} kB"
        yield (
            f"| {row.name} | {sizes[0]} | {quantile(decoding, 0.5):.2f} | {sizes[1]} | {quantile(encoding, 0.5):.2f} |"
        )


def growth() -> Iterator[str]:
    """Cold p50 while one measure doubles; at most linear means that the last column never exceeds 2."""
    yield "| what doubles | from … to | p50 ms | growth a doubling |"
    yield "| --- | --- | --- | --- |"
    series: list[tuple[str, list[int], Callable[[int], SlotProblem]]] = [
        ("resources", [5, 10, 20, 40, 80], any_of),
        ("days", [15, 30, 60, 120, 240], lambda days: any_of(10, days=days)),
        ("busy spans a day", [4, 8, 16, 32], lambda per_day: any_of(10, per_day=per_day)),
    ]
    for name, sizes, problem_of in series:
        medians = []
        for size in sizes:
            problem = problem_of(size)
            taken = []
            for _ in range(15):
                empty_caches()
                taken.append(timed(partial(solve, problem))[1])
            medians.append(quantile(taken, 0.5))
        ratios = [f"{later / earlier:.2f}" for earlier, later in pairwise(medians)]
        milliseconds = ", ".join(f"{each:.1f}" for each in medians)
        yield f"| {name} | {', '.join(map(str, sizes))} | {milliseconds} | {', '.join(ratios)} |"


MEASURE = """
import sys
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
at_start = peak()
from availability import decode, solve
document = sys.stdin.buffer.read()
loaded = peak()
answer = solve(decode(document))
print(at_start, loaded, peak())
"""
"""Peaks in kilobytes; what `getrusage` tells would begin with the peak of the process that started this one."""


def memory() -> Iterator[str]:
    """Peaks of a process of its own that reads, decodes and solves a month with 50 resources."""
    document = encode(any_of(50))
    done = subprocess.run(  # noqa: S603 - this interpreter, our text
        [sys.executable, "-c", MEASURE], input=document, capture_output=True, check=True, cwd=ROOT
    )
    at_start, loaded, peak = (int(each) / 1024 for each in done.stdout.split())
    yield "| a month with 50 resources | MB |"
    yield "| --- | ---: |"
    yield f"| the interpreter alone | {at_start:.1f} |"
    yield f"| with the engine and {len(document) / 1e6:.1f} MB of JSON in memory | {loaded:.1f} |"
    yield f"| peak while decoding and solving | {peak:.1f} |"
    yield f"| above the interpreter (goal {MEMORY_GOAL}) | {peak - at_start:.1f} |"


def machine() -> str:
    """Where and how busy."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    load = os.getloadavg()[0]
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} when it began"


def main() -> None:
    """Print every table."""
    print(machine())
    for table in (speed, explaining, json_apart, growth, memory):
        print(flush=True)
        for line in table():
            print(line, flush=True)


if __name__ == "__main__":
    main()
