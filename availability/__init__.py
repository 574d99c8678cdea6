"""The availability engine: a slot problem in, every bookable start out. Pure: no clock, database, network or settings.

    answer = solve(problem)                   # every start, each with resources that work
    explain(problem, start)                   # why a start is not among them
    occupied(problem, slot)                   # what booking a slot takes of each resource
    masks = prepare(problem)                  # kept by who asks again on the same schedule
    solve(another_problem, masks=masks)
    layout = laid_out(problem)                # kept while hours and rules stay as they are, whoever books
    solve(a_later_problem, layout=layout)

`docs/availability.md` says what each field means and how the engine works.
"""

from availability.answer import Answer, Assignment, Explanation, Fact, Occupied, Slot
from availability.decode import decode, encode
from availability.errors import ProblemError
from availability.explain import explain
from availability.layout import Layout
from availability.masks import Masks
from availability.occupied import occupied
from availability.problem import (
    Closure,
    Commitment,
    DayHours,
    Grid,
    Need,
    OfferPolicy,
    Override,
    Protected,
    Recurring,
    Resource,
    Rule,
    SlotProblem,
    Step,
    Visit,
)
from availability.solve import laid_out, prepare, solve
from availability.spans import Busy, Span

__all__ = [
    "Answer",
    "Assignment",
    "Busy",
    "Closure",
    "Commitment",
    "DayHours",
    "Explanation",
    "Fact",
    "Grid",
    "Layout",
    "Masks",
    "Need",
    "Occupied",
    "OfferPolicy",
    "Override",
    "ProblemError",
    "Protected",
    "Recurring",
    "Resource",
    "Rule",
    "Slot",
    "SlotProblem",
    "Span",
    "Step",
    "Visit",
    "decode",
    "encode",
    "explain",
    "laid_out",
    "occupied",
    "prepare",
    "solve",
]
