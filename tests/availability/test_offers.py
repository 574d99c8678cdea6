"""The better half of a day, and witnesses that destroy least."""

from __future__ import annotations

from availability import OfferPolicy, Protected, solve
from availability.offers import Offer, better_half
from tests.availability.monday import change, exam, local, need, question, resource, span, step


def offers(*scores: int) -> list[Offer]:
    return [Offer(start, ((),), score) for start, score in enumerate(scores)]


def kept(scores: list[int], afternoon_from: int, at_least: int) -> list[int]:
    day = offers(*scores)
    late = [offer.start >= afternoon_from for offer in day]
    return [offer.start for offer in better_half(day, late, at_least)]


def test_the_better_half_by_score_is_kept() -> None:
    assert kept([5, 0, 5, 0, 5, 0, 5, 0], afternoon_from=4, at_least=0) == [1, 3, 5, 7]


def test_of_equal_scores_morning_and_afternoon_are_taken_in_turn() -> None:
    assert kept([0] * 8, afternoon_from=4, at_least=0) == [0, 1, 4, 5]


def test_no_fewer_than_asked_for_are_kept_where_so_many_exist() -> None:
    assert len(kept([0] * 8, afternoon_from=4, at_least=6)) == 6
    assert kept([0, 1, 2], afternoon_from=4, at_least=6) == [0, 1, 2]


def test_the_best_of_a_costly_afternoon_is_kept_beside_a_cheap_morning() -> None:
    assert kept([0] * 8 + [9, 8, 7, 9], afternoon_from=8, at_least=4) == [0, 1, 2, 3, 4, 5, 9, 10]


def test_nothing_is_kept_of_an_empty_day() -> None:
    assert kept([], afternoon_from=4, at_least=6) == []


def test_the_resource_that_destroys_least_is_the_witness() -> None:
    """Both could serve at nine; only the second listed leaves the surgery of the first its only place."""
    surgery = exam(step(180, need("a")), appointment_type="surgery")
    problem = question(
        resource("a"),
        resource("b"),
        visit=exam(step(30, need("a", "b"))),
        protect=(Protected(visit=surgery, weight=2),),
    )
    slots = solve(problem).slots
    assert {(slot.score, *slot.resources["veterinarian"]) for slot in slots if isinstance(slot.resources, dict)} == {
        (0, "b")
    }
    alone = solve(change(problem, visits=(exam(step(30, need("a"))),))).slots
    assert {slot.score for slot in alone} == {2}


def test_a_cap_that_the_booking_uses_up_is_lost_too() -> None:
    limited = exam(step(30, need("b")), max_per_day=1)
    problem = question(
        resource("a"), resource("b"), visit=exam(step(30, need("a"))), protect=(Protected(visit=limited),)
    )
    assert {slot.score for slot in solve(problem).slots} == {6}


def test_the_best_policy_offers_what_all_offers_only_less() -> None:
    surgery = exam(step(90, need()), appointment_type="surgery")
    everything = question(resource(busy=(span("10:00", "10:15"),)), protect=(Protected(visit=surgery),))
    best = change(everything, offer=OfferPolicy(policy="best", at_least=2))
    of_all, of_best = solve(everything).slots, solve(best).slots
    assert of_best == [slot for slot in of_all if slot in of_best]
    assert 2 <= len(of_best) < len(of_all)
    worst = max(slot.score for slot in of_all)
    assert sum(slot.score == worst for slot in of_best) < sum(slot.score == worst for slot in of_all)
    assert local("09:00") in {slot.start for slot in of_best}
