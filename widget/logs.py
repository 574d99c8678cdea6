"""Logs: one line an event on standard error, for machines where nobody watches, and never a word of personal data.

What an error says may quote a client (PostgreSQL repeats the values that it refuses), so of errors a line has the kinds
and the places, not the messages.
"""

from __future__ import annotations

import logging
import sys
import traceback

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from widget.settings import LogLevel

PLACES = 8


def tell(level: LogLevel) -> None:
    """Set up what every `structlog` logger of this process does from now on."""
    for_people = sys.stderr.isatty()
    last: Processor = structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_kinds_and_places,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def only_kinds_and_places(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put an exception's kinds and places in the place of its words."""
    told = event.pop("exc_info", None)
    failure = told if isinstance(told, BaseException) else sys.exception() if told else None
    if failure is not None:
        event["errors"] = kinds(failure)
        event["where"] = places(failure)
    return event


def kinds(failure: BaseException) -> list[str]:
    """Return the kinds of an error and of those it groups."""
    inner = failure.exceptions if isinstance(failure, BaseExceptionGroup) else ()
    return [type(failure).__qualname__, *(kind for one in inner for kind in kinds(one))]


def places(failure: BaseException) -> list[str]:
    """Return the last places an error came through, and those it groups."""
    inner = failure.exceptions if isinstance(failure, BaseExceptionGroup) else ()
    frames = traceback.extract_tb(failure.__traceback__)[-PLACES:]
    here = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return [*here, *(place for one in inner for place in places(one))]
