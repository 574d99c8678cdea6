"""Masks that are kept serve the next question on the same schedule, and no other."""

from __future__ import annotations

from availability import decode, encode, prepare, solve
from availability.masks import Masks
from tests.availability.monday import change, exam, local, need, question, resource, rule, span, step


def test_masks_serve_another_visit_and_a_window_inside() -> None:
    problem = question(resource(busy=(span("09:00", "09:45"),)))
    masks = prepare(problem)
    assert masks.serves(problem)
    other = change(problem, visits=(exam(step(20)),), window=span("10:00", "11:00"))
    assert masks.serves(other)
    assert solve(other, masks=masks) == solve(other)


def test_equal_schedules_from_different_documents_are_the_same() -> None:
    problem = question(resource(busy=(span("09:00", "09:45"),)))
    assert prepare(problem).serves(decode(encode(problem)))


def test_masks_of_another_schedule_are_left_aside() -> None:
    problem = question()
    masks = prepare(problem)
    for other in (
        question(resource(busy=(span("09:00", "09:45"),))),
        question(rules=(rule("deny"),)),
        question(timezone="Europe/Berlin"),
        question(hours=()),
    ):
        assert not masks.serves(other)
        assert solve(other, masks=masks) == solve(other)


def test_a_window_outside_is_prepared_anew() -> None:
    problem = question()
    masks = prepare(problem)
    later = change(problem, window=span("2026-05-04T00:00", "2026-05-05T00:00"))
    assert solve(later, masks=masks) == solve(later)
    assert solve(later).slots


def test_a_visit_too_long_for_the_dates_kept_is_prepared_anew() -> None:
    """Fourteen days reach further on either side than all that was laid out for half an hour."""
    always_open = question(resource(hours=None))
    masks = prepare(always_open)
    assert len(masks.calendar.dates) < 14
    long = change(always_open, visits=(exam(step(14 * 24 * 60)),))
    assert solve(long, masks=masks) == solve(long)
    assert solve(long).slots


def test_masks_know_nothing_of_now() -> None:
    """A rule that is released in time is a matter of the question, not of the schedule."""
    reserved = question(
        rules=(rule("reserve", appointment_types=("surgery",), release=local("12:00") - local("09:00")),)
    )
    masks: Masks = prepare(reserved)
    on_the_day = change(reserved, now=local("09:00"))
    assert solve(on_the_day, masks=masks) == solve(on_the_day)
    assert solve(on_the_day).slots != solve(reserved).slots


def test_a_resource_nobody_needs_is_checked_all_the_same() -> None:
    assert solve(question(resource("a"), resource("b"), visit=exam(step(30, need("a"))))).slots
