"""When a request fails: what went wrong in plain words, what the person can do, and the practice's phone.

An error is an error page, never an empty list of times.
"""

from __future__ import annotations

import structlog
from litestar import Response
from litestar.exceptions import HTTPException

from booking.api import problems
from booking.api.problems import Problem
from booking.out_of_reach import OUT_OF_REACH
from widget.logs import kinds, places
from widget.pages import page
from widget.state import HttpRequest

logger = structlog.get_logger()

WORDS = {
    400: ("We could not read that", "Something in the form or the address was garbled. Please go back and try again."),
    403: ("That is not allowed", "This page cannot be used from where you came. Please start from our own pages."),
    404: ("We cannot find this page", "The address may be mistyped, or the page may be gone."),
    405: ("That does not work here", "Please go back to the page before and use its buttons."),
    413: ("That was too much at once", "What you sent is larger than we can take. Please shorten it and try again."),
    422: ("Something is missing", "Please go back and check what you entered."),
    429: ("Let us catch our breath", "That was tried very often in a short time. Please wait a few minutes."),
    500: (
        "Something broke on our side",
        "It is not your fault, and nothing is booked twice. Please try again.",
    ),
    503: (
        "We are out of reach for a moment",
        "We cannot see the schedule right now. Please try again in a minute.",
    ),
}


def failure_page(request: HttpRequest, status: int, *, details: str = "") -> Response[str]:
    """Return the page for a status. `details`: a sentence for people, in place of the general one."""
    title, words = WORDS.get(status, WORDS[500 if status >= 500 else 400])  # noqa: PLR2004 - the border of HTTP's classes
    practice = request.scope["state"].get("practice")
    answer = page("failure.html", status=status, title=title, words=details or words, practice=practice)
    if status in (429, 503):
        answer.headers["retry-after"] = "60"
    return answer


def on_refusal(request: HttpRequest, refusal: HTTPException) -> Response[str] | Response[Problem]:
    """Answer a request that cannot stand."""
    if is_for_api(request):
        return problems.on_refusal(request, refusal)
    if refusal.status_code >= 500:  # noqa: PLR2004
        return on_failure(request, refusal)
    answer = failure_page(request, refusal.status_code)
    answer.headers.update(refusal.headers or {})
    return answer


def on_failure(request: HttpRequest, failure: Exception) -> Response[str] | Response[Problem]:
    """Answer a request that we failed, and leave a trace of where: not of what was said, which may be personal."""
    if is_for_api(request):
        return problems.on_error(request, failure)
    status = 503 if isinstance(failure, OUT_OF_REACH) else 500
    route = request.scope.get("path_template", "")
    logger.error("request.failed", route=route, status=status, errors=kinds(failure), where=places(failure))
    return failure_page(request, status)


def is_for_api(request: HttpRequest) -> bool:
    """Say whether a program asked, even for a route that is not there: it is answered in its own language."""
    return request.url.path.startswith("/api/")
