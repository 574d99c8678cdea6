"""Questions: whom they are for, what counts as an answer, and where answers go."""

from __future__ import annotations

from uuid import UUID, uuid4

import msgspec
import pytest

from booking.book import Booked
from booking.db.appointment_types import Audience
from booking.db.appointments import Answered, booking_by_reference
from booking.db.pool import across_practices
from booking.db.questions import Question, QuestionKind
from booking.enter import description
from booking.policies import Urgent
from booking.questions import LONGEST_ANSWER, Answer, AnswersRefused, check_answers, questions_for
from tests.booking.conftest import Riverside
from tests.booking.steps import hold_first, olivias_booking, send


def question(kind: QuestionKind, *, required: bool = False, choices: tuple[str, ...] = ()) -> Question:
    return Question(
        question_id=uuid4(),
        position=1,
        label="Weight",
        kind=kind,
        choices=list(choices),
        required=required,
        appointment_types=None,
        who="everyone",
        pims_field=None,
    )


def answer(asked: Question, given: str) -> Answer:
    return Answer(question_id=asked.question_id, answer=given)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("text", "Limps a little"),
        ("choice", "Dry food"),
        ("yes_no", "no"),
        ("date", "2026-02-28"),
        ("number", "12.5"),
        ("number", " 3 "),
    ],
)
def test_an_answer_that_will_do_is_kept_with_its_question(kind: QuestionKind, given: str) -> None:
    asked = question(kind, required=True, choices=("Dry food", "Wet food"))
    (kept,) = check_answers([asked], [answer(asked, given)])
    assert kept == Answered(question_id=asked.question_id, label="Weight", answer=given.strip())


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("text", "x" * (LONGEST_ANSWER + 1)),
        ("choice", "Steak"),
        ("yes_no", "perhaps"),
        ("date", "2026-02-30"),
        ("date", "20260228"),
        ("number", "heavy"),
        ("number", "NaN"),
        ("number", "1e400"),
        ("number", "9" * 5000),
    ],
)
def test_an_answer_that_will_not_do_is_refused_with_words_for_its_question(kind: QuestionKind, given: str) -> None:
    asked = question(kind, choices=("Dry food",))
    with pytest.raises(AnswersRefused) as refusal:
        check_answers([asked], [answer(asked, given)])
    (problem,) = refusal.value.problems
    assert problem.question_id == asked.question_id
    assert problem.message.startswith("Please ")


def test_all_that_is_wrong_is_told_at_once() -> None:
    missing, wrong, fine, optional = (
        question("text", required=True),
        question("date"),
        question("text"),
        question("date"),
    )
    with pytest.raises(AnswersRefused) as refusal:
        check_answers(
            [missing, wrong, fine, optional], [answer(wrong, "soon"), answer(fine, "yes"), answer(missing, " ")]
        )
    assert [one.question_id for one in refusal.value.problems] == [missing.question_id, wrong.question_id]


def test_an_answer_to_what_is_not_asked_any_more_is_left_aside() -> None:
    assert check_answers([], [answer(question("text"), "something")]) == []


def test_staff_read_reason_and_answers_in_plain_words() -> None:
    answers = [
        Answered(question_id=uuid4(), label="Any medication?", answer="no"),
        Answered(question_id=uuid4(), label="Weight", answer="12"),
    ]
    said = description("K7Q2-9FHD-2", new_client=False, reason="Limps", answers=answers)
    assert said == "[vetslot Direct Booking] K7Q2-9FHD-2: Limps | Any medication? no | Weight: 12"


async def ask(
    riverside: Riverside,
    label: str,
    *,
    required: bool = False,
    types: list[UUID] | None = None,
    who: Audience = "everyone",
    active: bool = True,
) -> UUID:
    """Let the practice ask something."""
    question_id = uuid4()
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            """INSERT INTO question (practice_id, question_id, label, kind, required, appointment_types, who, active)
               VALUES ($1, $2, $3, 'text', $4, $5, $6, $7)""",
            riverside.practice.practice_id,
            question_id,
            label,
            required,
            types,
            who,
            active,
        )
    return question_id


async def test_a_question_is_asked_for_its_types_and_its_clients_only(riverside: Riverside) -> None:
    wellness, sick = riverside.types["type-wellness"], riverside.types["type-sick"]
    await ask(riverside, "All")
    await ask(riverside, "Wellness", types=[wellness.appointment_type_id])
    await ask(riverside, "New", who="new")
    await ask(riverside, "Known", who="existing")
    await ask(riverside, "Retired", active=False)

    async def asked(of: str, *, new_client: bool) -> set[str]:
        async with across_practices(riverside.pool) as conn:
            found = await questions_for(conn, riverside.practice, riverside.types[of], new_client=new_client)
        return {one.label for one in found}

    assert sick.appointment_type_id != wellness.appointment_type_id
    assert await asked("type-wellness", new_client=True) == {"All", "Wellness", "New"}
    assert await asked("type-sick", new_client=False) == {"All", "Known"}


async def test_a_booking_waits_for_its_answers_and_keeps_them(riverside: Riverside) -> None:
    food = await ask(riverside, "What does he eat?", required=True)
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()), reason="Checkup")
    with pytest.raises(AnswersRefused):
        await send(riverside, booking, "k")
    given = (Answer(question_id=food, answer="Dry food"),)
    booked = await send(riverside, msgspec.structs.replace(booking, answers=given), "k")
    assert isinstance(booked, Booked)
    assert booked.appointment.description.endswith(": Checkup | What does he eat? Dry food")
    async with across_practices(riverside.pool) as conn:
        (kept,) = await booking_by_reference(conn, riverside.practice.practice_id, booked.appointment.reference)
    assert kept.answers == [Answered(question_id=food, label="What does he eat?", answer="Dry food")]


async def test_an_urgent_answer_stops_a_booking(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    urgent = (Answer(question_id=uuid4(), answer="he had a seizure"),)
    with pytest.raises(Urgent):
        await send(riverside, msgspec.structs.replace(booking, answers=urgent), "k")
