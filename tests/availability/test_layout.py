"""A layout that is kept answers every question on the same standing schedule as none would, and no other question."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from availability import (
    Closure,
    DayHours,
    Override,
    ProblemError,
    Recurring,
    Resource,
    Rule,
    SlotProblem,
    Span,
    laid_out,
    solve,
)
from availability.layout import lay_out
from availability.local_time import DAY
from availability.solve import dates_of
from availability.spans import Busy
from tests.availability.monday import (
    DAY as MONDAY,
)
from tests.availability.monday import (
    change,
    exam,
    local,
    minutes,
    need,
    once,
    question,
    resource,
    rule,
    span,
    step,
    wall,
    weekdays,
)
from tests.availability.strategies import examples, problems

FAR = span("2026-02-20T00:00", "2026-03-20T00:00")


def standing(problem: SlotProblem, window: Span, *besides: Resource) -> SlotProblem:
    """What is laid out of a problem: nobody is taken, more resources are there, other days are asked for."""
    resources = tuple(replace(each, busy=Busy()) for each in problem.resources)
    return change(problem, window=window, resources=(*besides, *resources), commitments=(), protect=())


@examples(120)
@given(problems(protected=False), st.integers(0, 3), st.integers(1, 4), st.integers(-4, 4), st.integers(-4, 4))
def test_with_it_the_answer_is_the_same_to_the_byte(
    problem: SlotProblem, before: int, after: int, moved: int, later: int
) -> None:
    """Around clock changes, whatever is taken, at another time, and where the window lies on its edge or outside."""
    window = Span(start=problem.window.start - before * DAY, end=problem.window.end + after * DAY)
    layout = laid_out(change(standing(problem, window, Resource(id="somebody else")), now=problem.now - 9 * DAY))
    asked = Span(start=problem.window.start + moved * DAY, end=problem.window.end + moved * DAY)
    for each in (
        problem,
        change(problem, window=asked, commitments=()),
        change(problem, window=asked, commitments=(), now=problem.now + later * timedelta(hours=7)),
    ):
        assert layout.fits(each)
        assert msgspec.json.encode(solve(each, layout=layout)) == msgspec.json.encode(solve(each))


@examples(120)
@given(problems(), st.integers(0, 5), st.integers(0, 5))
def test_cut_to_some_days_it_is_what_laying_them_out_gives(problem: SlotProblem, before: int, after: int) -> None:
    first, last = dates_of(problem)
    layout = lay_out(problem, first - before * DAY, last + after * DAY)
    anew, cut = lay_out(problem, first, last), layout.cut(first, last, problem.resources)
    assert (cut.calendar.origin, cut.calendar.midnights) == (anew.calendar.origin, anew.calendar.midnights)
    assert (cut.practice_hours, cut.opening, cut.rule_minutes) == (anew.practice_hours, anew.opening, anew.rule_minutes)
    assert (cut.own_open, cut.open, cut.clear) == (anew.own_open, anew.open, anew.clear)


def test_it_is_used_for_the_days_that_it_covers() -> None:
    """Shown by one that says something else than the problem: what is asked of those days rests on it."""
    problem = question()
    layout = laid_out(standing(problem, FAR))
    never_open = layout._replace(open=dict.fromkeys(layout.open, 0))
    assert solve(problem).slots
    assert not solve(problem, layout=never_open).slots
    later = change(problem, window=span("2026-05-04T00:00", "2026-05-05T00:00"))
    assert solve(later, layout=never_open) == solve(later)


SCHEDULE = question(
    resource(
        block_offs=(once("09:30", "10:00"),),
        overrides=(Override(date=MONDAY, hours=(DayHours(opens="08:00", closes="12:00"),)),),
    ),
    hours=weekdays("08:30"),
    rules=(rule("deny"),),
)
(LEE,) = SCHEDULE.resources


@pytest.mark.parametrize(
    "changes",
    {
        "zone": {"timezone": "Europe/Berlin"},
        "closures": {"closures": (Closure(first=MONDAY, last=MONDAY),)},
        "practice hours": {"hours": None},
        "hours": {"resources": (replace(LEE, hours=weekdays("10:00"), overrides=()),)},
        "overrides": {"resources": (replace(LEE, overrides=()),)},
        "block-offs": {"resources": (replace(LEE, block_offs=()),)},
        "another resource": {"resources": (LEE, resource("dr-novak")), "visits": (exam(step(30, need("dr-novak"))),)},
        "when a rule holds": {"rules": (rule("deny", "09:00"),)},
        "one rule more": {"rules": (rule("deny"), rule("deny", "09:00"))},
    }.items(),
    ids=lambda each: each[0],
)
def test_it_fits_no_other_schedule(changes: tuple[str, dict[str, Any]]) -> None:
    layout = laid_out(standing(SCHEDULE, FAR))
    assert layout.fits(SCHEDULE)
    other = change(SCHEDULE, **changes[1])
    assert not layout.fits(other)
    assert solve(other, layout=layout) == solve(other) != solve(SCHEDULE)


def test_what_a_rule_says_and_of_whom_is_the_questions_own() -> None:
    layout = laid_out(standing(SCHEDULE, FAR))
    for other in (rule("reserve"), rule("deny", appointment_types=("surgery",)), rule("reserve", release=minutes(90))):
        for now in (SCHEDULE.now, local("09:00")):
            asked = change(SCHEDULE, rules=(other,), now=now)
            assert layout.fits(asked)
            assert solve(asked, layout=layout) == solve(asked)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("now", {"now": local("09:00").replace(tzinfo=None)}),
        ("visits[0].buffer_before", {"visits": (exam(buffer_before=-minutes(5)),)}),
        ("visits[0].steps[0].needs[0].any_of[0]", {"visits": (exam(step(30, need("nobody"))),)}),
        ("resources[0].capacity", {"resources": (replace(LEE, capacity=0),)}),
        ("resources[1].id", {"resources": (LEE, LEE)}),
        ("resources[0].booked_on", {"resources": (replace(LEE, booked_on={MONDAY: -1}),)}),
        ("rules[0].resources[0]", {"rules": (rule("deny", resources=("nobody",)),)}),
        ("rules[0].release", {"rules": (rule("deny", release=minutes(5)),)}),
    ],
)
def test_whatever_else_a_question_says_is_checked(path: str, changes: dict[str, Any]) -> None:
    layout = laid_out(standing(SCHEDULE, FAR))
    asked = change(SCHEDULE, **changes)
    assert layout.fits(asked)
    with pytest.raises(ProblemError) as caught:
        solve(asked, layout=layout)
    assert caught.value.path == path


def test_what_cannot_be_laid_out_is_refused() -> None:
    endless = Rule(
        name="odd", effect="deny", when=(Recurring(starts=wall("09:00"), duration=minutes(1), rrule="FREQ=SOMETIMES"),)
    )
    with pytest.raises(ProblemError) as caught:
        laid_out(question(rules=(endless,)))
    assert caught.value.path == "rules[0].when[0].rrule"
