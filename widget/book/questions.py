"""What the practice asks before a visit is booked: a step of its own, there only where something is asked."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response.redirect import Redirect

from booking.book import NewClient
from booking.db.appointment_types import any_appointment_type
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.db.questions import Question
from booking.policies import nothing_is_urgent
from booking.questions import LONGEST_ANSWER, Answer, AnswersRefused, check_answers, questions_for
from widget import flow as flows
from widget.book.shell import GoElsewhere, Kept, TheFlow, TheKept, ThePractice, booking_page, flow_path
from widget.flow import Flow, next_step
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis

YES_NO = (("yes", "Yes"), ("no", "No"))
NO_ANSWER = ("", "I’d rather not say")


@get("/book/{slug:str}/f/{token:str}/questions")
async def questions(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, kept: TheKept, request: HttpRequest, pool: ThePool
) -> Response[str] | Redirect:
    """Show the practice's questions with what was answered."""
    asked = await _asked(practice, token, flow, pool)
    form = Form({field_of(one): flow.answers.get(one.question_id, "") for one in asked})
    return _questions_page(request, practice, token, flow, kept, form, asked)


@post("/book/{slug:str}/f/{token:str}/questions")
async def answer_questions(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept: TheKept,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
) -> Response[str] | Redirect:
    """Take the answers, if all of them will do."""
    form = await read_form(request)
    asked = await _asked(practice, token, flow, pool)
    answers = {one.question_id: form.lines(field_of(one), most=LONGEST_ANSWER) for one in asked}
    try:
        check_answers(asked, _given(answers, asked))
    except AnswersRefused as refused:
        for problem in refused.problems:
            form.errors.setdefault(f"answer-{problem.question_id}", problem.message)
    if form.errors:
        return _questions_page(request, practice, token, flow, kept, form, asked, status=422)
    nothing_is_urgent(practice, answers.values())
    await flows.save(redis, practice, token, msgspec.structs.replace(flow, answers=flow.answers | answers))
    return see_other(f"{flow_path(practice, token)}/check")


async def answered(practice: Practice, token: str, flow: Flow, pool: Pool) -> list[tuple[str, str]]:
    """Return each question with its answer, which may be empty. Whoever has not been asked all of them is, first."""
    asked = await _questions(practice, flow, pool)
    try:
        check_answers(asked, _given(flow.answers, asked))
    except AnswersRefused as refused:
        raise GoElsewhere(f"{flow_path(practice, token)}/questions") from refused
    if any(one.question_id not in flow.answers for one in asked):
        raise GoElsewhere(f"{flow_path(practice, token)}/questions")
    return [(one.label, _spoken(one, flow.answers[one.question_id])) for one in asked]


def answers_of(flow: Flow) -> tuple[Answer, ...]:
    """Return what was answered, as it is booked."""
    return tuple(Answer(question_id=id_, answer=words) for id_, words in flow.answers.items() if words)


def field_of(question: Question) -> str:
    """Return the name of a question's field."""
    return f"answer-{question.question_id}"


async def _asked(practice: Practice, token: str, flow: Flow, pool: Pool) -> list[Question]:
    """Return what is asked of whoever has said who they are; where that is nothing, there is no such step."""
    if next_step(flow) != "check":
        raise GoElsewhere(f"{flow_path(practice, token)}/{next_step(flow)}")
    asked = await _questions(practice, flow, pool)
    if not asked:
        raise GoElsewhere(f"{flow_path(practice, token)}/check")
    return asked


async def _questions(practice: Practice, flow: Flow, pool: Pool) -> list[Question]:
    async with of_practice(pool, practice.practice_id) as conn:
        appointment_type = await any_appointment_type(conn, practice.practice_id, flow.wish.appointment_type_id)
        if appointment_type is None:
            raise LookupError("A flow's type is one that the practice has.")
        return await questions_for(conn, practice, appointment_type, new_client=isinstance(flow.client, NewClient))


def _given(answers: dict[UUID, str], asked: list[Question]) -> list[Answer]:
    return [Answer(question_id=one.question_id, answer=answers.get(one.question_id, "")) for one in asked]


def _choices(question: Question) -> list[tuple[str, str]]:
    """Return what can be chosen, as it is sent and as it is read; nothing where the answer is typed."""
    match question.kind:
        case "choice":
            choices = [(one, one) for one in question.choices]
        case "yes_no":
            choices = list(YES_NO)
        case _:
            return []
    return choices if question.required else [*choices, NO_ANSWER]


def _spoken(question: Question, answer: str) -> str:
    return dict(YES_NO).get(answer, answer) if question.kind == "yes_no" else answer


def _questions_page(
    request: HttpRequest,
    practice: Practice,
    token: str,
    flow: Flow,
    kept: Kept,
    form: Form,
    asked: list[Question],
    *,
    status: int = 200,
) -> Response[str]:
    return booking_page(
        request,
        practice,
        "questions.html",
        status=status,
        flow=flow,
        kept=kept,
        form=form,
        step=flow_path(practice, token),
        asked=[(one, field_of(one), _choices(one)) for one in asked],
        labels={field_of(one): one.label for one in asked},
    )
