"""Questions: what the practice asks before a visit is booked, and whether the answers will do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from uuid import UUID

from msgspec import Struct

from booking.db.appointment_types import AppointmentType
from booking.db.appointments import Answered
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.db.questions import Question
from booking.standing import Standing, standing

LONGEST_ANSWER = 500
LARGEST_NUMBER = 10**9


class Answer(Struct, frozen=True, kw_only=True):
    """A client's answer: free text, one of the choices, `yes` or `no`, an ISO date, or a number."""

    question_id: UUID
    answer: str


class AnswerProblem(Struct, frozen=True, kw_only=True):
    """What is wrong with the answer to one question, in words for the client."""

    question_id: UUID
    message: str


class AnswersRefused(Exception):
    """Some answers are missing or cannot be understood. Please look at them again."""

    def __init__(self, problems: list[AnswerProblem]) -> None:
        """Carry what is wrong, question by question."""
        super().__init__(self.__doc__)
        self.problems = problems

    @property
    def members(self) -> dict[str, object]:
        """What an answer of the API says beside the message."""
        return {"errors": [{"path": f"answers.{one.question_id}", "message": one.message} for one in self.problems]}


async def questions_for(
    conn: Connection, practice: Practice, appointment_type: AppointmentType, *, new_client: bool
) -> list[Question]:
    """Return what such a client is asked for such a visit, in order."""
    return questions_among(await standing(conn, practice.practice_id), appointment_type, new_client=new_client)


def questions_among(stands: Standing, appointment_type: AppointmentType, *, new_client: bool) -> list[Question]:
    """Return the same as `questions_for`, to those who know what stands."""
    who, type_id = ("everyone", "new" if new_client else "existing"), appointment_type.appointment_type_id
    return [
        one
        for one in stands.questions
        if one.who in who and (one.appointment_types is None or type_id in one.appointment_types)
    ]


def check_answers(questions: Sequence[Question], answers: Sequence[Answer]) -> list[Answered]:
    """Return the answers as they are kept, in the order of the questions. Raises `AnswersRefused`.

    An answer to what is not asked any more is left aside: the practice may have changed its questions meanwhile.
    """
    given = {one.question_id: one.answer.strip() for one in answers}
    kept, problems = [], []
    for question in questions:
        answer = given.get(question.question_id, "")
        wrong = _wrong_with(question, answer)
        if wrong:
            problems.append(AnswerProblem(question_id=question.question_id, message=wrong))
        elif answer:
            kept.append(Answered(question_id=question.question_id, label=question.label, answer=answer))
    if problems:
        raise AnswersRefused(problems)
    return kept


def _wrong_with(question: Question, answer: str) -> str | None:
    """Say what is wrong with an answer; an empty one is none."""
    if not answer:
        return "Please answer this question." if question.required else None
    match question.kind:
        case "text":
            return f"Please use at most {LONGEST_ANSWER} letters." if len(answer) > LONGEST_ANSWER else None
        case "choice":
            return None if answer in question.choices else "Please choose one of the answers."
        case "yes_no":
            return None if answer in ("yes", "no") else "Please answer yes or no."
        case "date":
            return None if _is_date(answer) else "Please enter a date."
        case "number":
            return None if _is_number(answer) else "Please enter a number."


def _is_date(text: str) -> bool:
    try:
        return len(text) == len("2026-01-01") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    try:
        number = Decimal(text) if len(text) <= LONGEST_ANSWER else Decimal("NaN")
    except InvalidOperation:
        return False
    return number.is_finite() and abs(number) <= LARGEST_NUMBER
