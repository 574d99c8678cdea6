"""Offering well: what each slot would cost the visits that must stay possible, and which slots to show."""

from __future__ import annotations

from collections.abc import Iterator

from availability.plan import Choice
from availability.question import Question


def offered(question: Question) -> Iterator[tuple[int, Choice, int]]:
    """The starts to offer, on the masks' minutes, in order: each with its witness and its score."""
    for start, choice in question.choices().items():
        yield start, choice, 0
