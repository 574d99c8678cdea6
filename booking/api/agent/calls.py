"""The routes of an agent: say hello, push pages, fetch calls, report results, say goodbye.

Bodies and answers are those of the protocol (`pims_adapters/_agent/protocol.py`); a row that is not as it says, a
cursor that does not follow, an agent that is one too many: all end in the same problem documents as elsewhere.
"""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import Response, Router, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException

from booking.agents.calls import ResultRefused, fetch_calls, keep_result
from booking.agents.lease import AgentRefused, AnotherAgent, HelloFirst, ProtocolRefused, greet, leave
from booking.agents.pages import AnotherCursor, BacklogFull, PageRefused, keep_page
from booking.agents.tokens import AgentUnknown
from booking.agents.wakes import Wakes
from booking.api.agent.body import read_body
from booking.api.agent.who import OF_AGENT, LetsAgentIn, TheAgent
from booking.api.given import HttpRequest, ThePool, now
from booking.api.problems import MEDIA_TYPE, PROBLEMS, Problem, answer, on_error, on_refusal
from pims_adapters._agent.protocol import (
    MOST_PAGE_BYTES,
    Bye,
    Calls,
    Cursor,
    Done,
    Fetch,
    Hello,
    Page,
    PageKept,
    Result,
    Welcome,
)

NOT_THE_ONE: Final = (AgentUnknown, AnotherAgent, HelloFirst)


class CursorProblem(Problem, frozen=True, kw_only=True, rename="camel"):
    """The problem that also names the cursor to go on from, so that it reads as a `PageKept`."""

    cursor: Cursor | None


@post("/hello", status_code=200)
async def hello(agent: TheAgent, pool: ThePool, request: HttpRequest) -> Welcome:
    """Say who you are, and hear which feeds are wanted and from which cursor each goes on."""
    return await greet(pool, agent, await read_body(request, Hello), now=now())


@post("/pages", status_code=200)
async def pages(agent: TheAgent, pool: ThePool, request: HttpRequest) -> PageKept:
    """Push a page. It is kept when this is answered; push the next one after the cursor that the answer names."""
    return PageKept(cursor=await keep_page(pool, agent, await read_body(request, Page), now=now()))


@post("/calls/fetch", status_code=200)
async def fetch(agent: TheAgent, pool: ThePool, wakes: NamedDependency[Wakes], request: HttpRequest) -> Response[bytes]:
    """Ask for what is to be done. It is answered at once, or when something comes, or when you have waited enough."""
    # Bodies of calls go out as they came in: Litestar would not leave them as they are.
    asked = await read_body(request, Fetch)
    calls = Calls(calls=await fetch_calls(pool, wakes, agent, asked, clock=now))
    return Response(msgspec.json.encode(calls), media_type="application/json")


@post("/calls/result", status_code=200)
async def result(agent: TheAgent, pool: ThePool, request: HttpRequest) -> Done:
    """Report what became of a call. Reporting it again changes nothing."""
    await keep_result(pool, agent, await read_body(request, Result), now=now())
    return Done()


@post("/bye", status_code=200)
async def bye(agent: TheAgent, pool: ThePool, request: HttpRequest) -> Done:
    """Stop: another agent may take your place at once."""
    await leave(pool, agent, (await read_body(request, Bye)).instance)
    return Done()


async def _wakes(state: State) -> Wakes:
    """Return what the long polls of this process share."""
    wakes: Wakes = state.agent_wakes
    return wakes


def on_another_cursor(_: HttpRequest, error: AnotherCursor) -> Response[CursorProblem]:
    """Answer a page that does not follow what is kept: with the cursor to go on from."""
    problem = msgspec.structs.asdict(answer(PROBLEMS[AnotherCursor], str(error)).content)
    return Response(
        CursorProblem(**problem, cursor=error.cursor),
        status_code=PROBLEMS[AnotherCursor].status,
        media_type=MEDIA_TYPE,
    )


router = Router(
    "/agent/v1",
    route_handlers=[hello, pages, fetch, result, bye],
    guards=[LetsAgentIn()],
    dependencies={**OF_AGENT, "wakes": Provide(_wakes)},
    request_max_body_size=MOST_PAGE_BYTES,
    exception_handlers={AnotherCursor: on_another_cursor, HTTPException: on_refusal, Exception: on_error},
    include_in_schema=False,
)

ENDINGS: Final[dict[str, tuple[type[Exception], ...]]] = {
    "hello": (AgentUnknown, AgentRefused, ProtocolRefused, AnotherAgent),
    "pages": (*NOT_THE_ONE, AnotherCursor, PageRefused, BacklogFull),
    "calls/fetch": NOT_THE_ONE,
    "calls/result": (*NOT_THE_ONE, ResultRefused),
    "bye": (AgentUnknown,),
}
"""How each route may end, beside what any request may end in."""
