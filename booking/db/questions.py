"""What a practice asks before a visit is booked."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.appointment_types import Audience
from booking.db.pool import Connection, many

QuestionKind = Literal["text", "choice", "yes_no", "date", "number"]


class Question(Struct, frozen=True, kw_only=True):
    """One question. `appointment_types` None: for all; `pims_field`: what of the PIMS's own needs it serves."""

    question_id: UUID
    position: int
    label: str
    kind: QuestionKind
    choices: list[str]
    required: bool
    appointment_types: list[UUID] | None
    who: Audience
    pims_field: str | None


QUESTIONS = """
SELECT question_id, position, label, kind, choices, required, appointment_types, who, pims_field
FROM question WHERE practice_id = $1 AND active ORDER BY position, question_id LIMIT 500
"""


async def questions(conn: Connection, practice_id: UUID) -> list[Question]:
    """Return everything the practice asks, in its order."""
    return many(await conn.fetch(QUESTIONS, practice_id), Question)
