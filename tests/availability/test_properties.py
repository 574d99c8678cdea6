"""Properties of the engine, tried on problems that Hypothesis makes up; the oracle is the judge."""

from __future__ import annotations

from datetime import datetime

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from availability import Busy, Resource, Slot, SlotProblem, Span, decode, encode, explain, occupied, prepare, solve
from availability.board import Board
from availability.commitments import movable
from availability.gates import Gates
from availability.model import Item, Verdict, find_places
from availability.plan import plan_of_visits
from tests.availability import oracle, relief
from tests.availability.strategies import examples, minutes, problems


def starts(problem: SlotProblem) -> list[datetime]:
    return [slot.start for slot in solve(problem).slots]


def each_visit(slot: Slot) -> list[dict[str, list[str]]]:
    return slot.resources if isinstance(slot.resources, list) else [slot.resources]


def as_sets(assignments: list[dict[str, list[str]]]) -> list[dict[str, frozenset[str]]]:
    """The order in which a role's resources are told is of no matter."""
    return [{role: frozenset(resources) for role, resources in each.items()} for each in assignments]


def is_witness(problem: SlotProblem, slot: Slot) -> bool:
    return as_sets(each_visit(slot)) in map(as_sets, oracle.ways_to_book(problem, slot.start))


def after_booking(problem: SlotProblem, slot: Slot) -> SlotProblem:
    """The problem with what the slot occupies among the busy time."""
    taken = occupied(problem, slot)
    resources = tuple(
        msgspec.structs.replace(
            r, busy=Busy.of([*r.busy, *(Span(start=o.start, end=o.end) for o in taken if o.resource == r.id)])
        )
        for r in problem.resources
    )
    return msgspec.structs.replace(problem, resources=resources)


@examples(120)
@given(problems(most_commitments=0))
def test_the_engine_offers_exactly_the_oracles_starts(problem: SlotProblem) -> None:
    assert starts(problem) == oracle.bookable_starts(problem)


@examples(90)
@given(problems(most_visits=1, most_commitments=3))
def test_the_engine_offers_exactly_the_oracles_starts_beside_commitments(problem: SlotProblem) -> None:
    assert starts(problem) == oracle.bookable_starts(problem)


@examples(40)
@given(problems(most_visits=3))
def test_the_engine_offers_exactly_the_oracles_starts_for_several_visits(problem: SlotProblem) -> None:
    assume(len(problem.visits) > 1)
    assert starts(problem) == oracle.bookable_starts(problem)


@examples(30)
@given(problems(most_visits=2))
def test_every_witness_can_be_booked(problem: SlotProblem) -> None:
    for slot in solve(problem).slots[:4]:
        assert is_witness(problem, slot)


@examples(40)
@given(problems(most_visits=2))
def test_every_end_is_the_end_of_the_visits(problem: SlotProblem) -> None:
    for slot in solve(problem).slots:
        assert slot.end == oracle.slot_end(problem, slot.start)


@examples(40)
@given(problems(most_visits=1))
def test_next_is_the_oracles_first_start_after_an_empty_window(problem: SlotProblem) -> None:
    answer = solve(problem)
    assert answer.next == (None if answer.slots else oracle.next_start(problem))


@examples(60)
@given(problems(most_visits=1, most_commitments=3))
def test_warnings_name_the_commitments_that_the_oracle_cannot_place(problem: SlotProblem) -> None:
    warnings, unplaceable = solve(problem).warnings, oracle.unplaceable(problem)
    assert len(warnings) == len(unplaceable)
    assert all(name in warning for name, warning in zip(unplaceable, warnings, strict=True))


@examples(60)
@given(problems(), st.data())
def test_adding_busy_time_never_adds_a_start(problem: SlotProblem, data: st.DataObject) -> None:
    """Commitments that all find a place before and after; one that no longer does is ignored, which frees its time."""
    chosen = data.draw(st.sampled_from(problem.resources))
    start = problem.window.start + minutes(5 * data.draw(st.integers(-6, 60)))
    added = Span(start=start, end=start + minutes(data.draw(st.integers(1, 90))))
    resources = tuple(
        msgspec.structs.replace(r, busy=Busy.of([*r.busy, added])) if r is chosen else r for r in problem.resources
    )
    busier = msgspec.structs.replace(problem, resources=resources)
    before, after = solve(problem), solve(busier)
    assume(before.warnings == after.warnings)
    assert {slot.start for slot in after.slots} <= {slot.start for slot in before.slots}


@examples(60)
@given(problems(most_visits=2), st.data())
def test_booking_an_offered_slot_and_asking_again_never_offers_an_overlap(
    problem: SlotProblem, data: st.DataObject
) -> None:
    slots = solve(problem).slots
    assume(slots)
    booked = data.draw(st.sampled_from(slots))
    later = after_booking(problem, booked)
    again = solve(later).slots
    assert {slot.start for slot in again} <= {slot.start for slot in slots}
    for slot in again[:3]:
        # A second booking of what is offered leaves nobody with more than the capacity that was left.
        assert is_witness(later, slot)
    if all(resource.capacity == 1 for resource in problem.resources):
        mine = {o.resource: o for o in occupied(problem, booked)}
        for slot in again:
            for other in occupied(later, slot):
                if other.resource in mine:
                    spans = [o for o in occupied(problem, booked) if o.resource == other.resource]
                    assert all(other.end <= o.start or o.end <= other.start for o in spans)


@examples(40)
@given(problems(most_visits=2))
def test_what_a_slot_occupies_is_its_steps_and_buffers(problem: SlotProblem) -> None:
    for slot in solve(problem).slots[:3]:
        told = sorted(
            (o.resource, o.start + minutes(n))
            for o in occupied(problem, slot)
            for n in range(int((o.end - o.start) / minutes(1)))
        )
        expected = sorted(
            (resource, begin + minutes(n))
            for resource, begin, end in oracle.occupied_spans(problem, slot.start, each_visit(slot))
            for n in range(int((end - begin) / minutes(1)))
        )
        assert told == expected


@examples(40)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_resources_changes_no_start(problem: SlotProblem, chance: object) -> None:
    shuffled: list[Resource] = list(problem.resources)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert starts(msgspec.structs.replace(problem, resources=tuple(shuffled))) == starts(problem)


@examples(40)
@given(problems())
def test_the_order_of_the_candidates_changes_no_start(problem: SlotProblem) -> None:
    turned = decode(msgspec.json.encode(_turned(msgspec.json.decode(encode(problem)))))
    assert starts(turned) == starts(problem)


def _turned(value: object) -> object:
    """The same problem with every list of candidates the other way round."""
    if isinstance(value, dict):
        return {key: each[::-1] if key == "any_of" else _turned(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_turned(each) for each in value]
    return value


@examples(60)
@given(problems())
def test_the_same_problem_has_the_same_answer_to_the_byte(problem: SlotProblem) -> None:
    document = encode(problem)
    answers = {msgspec.json.encode(solve(decode(document))) for _ in range(2)}
    assert answers == {msgspec.json.encode(solve(problem))}


@examples(40)
@given(problems(), problems(), st.data())
def test_warm_masks_give_the_cold_answer(problem: SlotProblem, other: SlotProblem, data: st.DataObject) -> None:
    """To the same question, to other visits on the same schedule, in another window, and on another schedule."""
    masks = prepare(problem)
    assert solve(problem, masks=masks) == solve(problem)
    start = problem.window.start + minutes(30 * data.draw(st.integers(-4, 12)))
    window = Span(start=start, end=start + minutes(240))
    known = {resource.id for resource in problem.resources}
    if {name for visit in other.visits for step in visit.steps for need in step.needs for name in need.any_of} <= known:
        visits = tuple(
            msgspec.structs.replace(v, grid_for={r: g for r, g in v.grid_for.items() if r in known})
            for v in other.visits
        )
        question = msgspec.structs.replace(problem, visits=visits, window=window, commitments=(), same_roles=())
        assert solve(question, masks=masks) == solve(question)
    assert solve(other, masks=masks) == solve(other)
    assert solve(problem, masks=masks) == solve(problem)


@examples(35)
@given(problems(most_visits=1, most_commitments=1, most_steps=1, most_resources=2), st.data())
def test_removing_an_explanations_facts_admits_the_start_and_no_smaller_set_does(
    problem: SlotProblem, data: st.DataObject
) -> None:
    assume(not oracle.unplaceable(problem))
    begin = oracle.floor_minute(problem.window.start)
    start = oracle.instant_of(begin + 5 * data.draw(st.integers(0, 60)))
    explained = explain(problem, start)
    assert explained.bookable == oracle.is_bookable(problem, start)
    assume(not explained.bookable)
    assert len(explained.blockers) <= 3
    sizes = [len(facts) for facts in explained.blockers]
    assert sizes == sorted(sizes)
    for facts in explained.blockers:
        assert relief.opens(problem, facts, start)
        for number in range(len(facts)):
            assert not relief.opens(problem, [*facts[:number], *facts[number + 1 :]], start)
    if sizes and sizes[0] <= 2:
        smaller = relief.smallest_sets(problem, start, sizes[0] - 1)
        assert smaller == []


@examples(40)
@given(problems(), st.data())
def test_the_solver_alone_agrees_with_the_engine_and_the_oracle(problem: SlotProblem, data: st.DataObject) -> None:
    """CP-SAT asked about one start, all commitments beside it, without the kernel's help."""
    assume(not oracle.unplaceable(problem))
    masks = prepare(problem)
    board = Board(masks, problem.now, 0, masks.calendar.size)
    plan = plan_of_visits(problem.visits, problem.arrangement, problem.same_roles)
    commitments = [movable(each, masks) for each in problem.commitments]
    items = [Item(each.plan, each.starts_on(board), None) for each in commitments]
    gates = Gates(masks, problem)
    offered = starts(problem)
    begin = oracle.floor_minute(problem.window.start)
    others = [oracle.instant_of(begin + 5 * data.draw(st.integers(0, 47))) for _ in range(3)]
    for start in [*offered[:3], *(other for other in others if other < problem.window.end)]:
        at_start = (1 << masks.calendar.minute_at(start)) & gates.starts
        placed = find_places(board, [Item(plan, at_start, gates), *items]) if at_start else Verdict.IMPOSSIBLE
        assert (placed is not Verdict.IMPOSSIBLE) == (start in offered) == oracle.is_bookable(problem, start)
