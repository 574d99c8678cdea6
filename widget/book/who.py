"""The third step: a phone or an email, and the code that proves it.

Whoever asks sees the same pages in the same time for a contact that we know and for one that we do not.
"""

from __future__ import annotations

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Struct
from redis.asyncio import Redis

from booking.contacts import Contact
from booking.db.pool import Pool
from booking.db.practices import Practice
from booking.identify import (
    CannotBeEmailed,
    CannotBeTexted,
    CodeExpired,
    CodeSent,
    TooManyCodes,
    WorkNeeded,
    WrongCode,
    check_code,
    send_code,
)
from booking.proof_of_work import LONGEST_PAYLOAD
from booking.site import Site
from booking.spending import TextsUsedUp
from widget import flow as flows
from widget.book.shell import Kept, TheFlow, TheKeptIfAny, ThePractice, booking_page, caller, flow_path
from widget.clock import now
from widget.flow import Flow, next_step
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis, TheSite

CODE_LENGTH = 6


@get("/book/{slug:str}/f/{token:str}/who")
async def who(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, kept_if_any: TheKeptIfAny, request: HttpRequest
) -> Response[str]:
    """Ask for a phone or an email."""
    known = flow.contact or flow.asked_contact
    return _who_page(request, practice, token, flow, kept_if_any, Form({"contact": known.value if known else ""}))


@post("/book/{slug:str}/f/{token:str}/who")
async def ask_for_code(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept_if_any: TheKeptIfAny,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    site: TheSite,
) -> Response[str]:
    """Send a code to whatever contact it is."""
    form = await read_form(request)
    contact = form.contact("contact", practice.region, missing="Please enter your phone number or email address.")
    if contact is None:
        return _who_page(request, practice, token, flow, kept_if_any, form, status=422)
    proof = form.line("altcha", most=LONGEST_PAYLOAD)
    sent = await _send(request, practice, pool, redis, site, contact, proof_of_work=proof)
    if isinstance(sent, NotSent):
        return _not_sent_page(request, practice, token, flow, kept_if_any, form, sent)
    flow = msgspec.structs.replace(flow, asked_contact=contact, verification_id=sent.verification_id)
    await flows.save(redis, practice, token, flow)
    return see_other(f"{flow_path(practice, token)}/code")


@get("/book/{slug:str}/f/{token:str}/code")
async def code(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, kept_if_any: TheKeptIfAny, request: HttpRequest
) -> Response[str]:
    """Ask for the code."""
    if flow.asked_contact is None:
        return see_other(f"{flow_path(practice, token)}/{next_step(flow)}")
    return _code_page(request, practice, token, flow, kept_if_any, Form(), again="again" in request.query_params)


@post("/book/{slug:str}/f/{token:str}/code")
async def enter_code(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept_if_any: TheKeptIfAny,
    request: HttpRequest,
    redis: TheRedis,
    site: TheSite,
) -> Response[str]:
    """Check the code; a right one proves the contact and gives the flow a new address."""
    form = await read_form(request)
    # Pasted codes come as "123 456" or "123-456".
    entered = "".join(sign for sign in form.line("code", most=30, missing="Please enter the code.") if sign.isdigit())
    if "code" not in form.errors and len(entered) != CODE_LENGTH:
        form.errors["code"] = f"The code has {CODE_LENGTH} digits. Please enter all of them."
    if form.errors or not flow.verification_id:
        return _code_page(request, practice, token, flow, kept_if_any, form, status=422)
    checked = await check_code(redis, site, flow.verification_id, entered, address=caller(request))
    if isinstance(checked, WrongCode):
        form.values["code"] = ""
        form.errors["code"] = _tries_words(checked)
        return _code_page(request, practice, token, flow, kept_if_any, form, status=422)
    if isinstance(checked, CodeExpired):
        form.values["code"] = ""
        form.errors["code"] = "This code no longer works. Please ask for a new one below."
        return _code_page(request, practice, token, flow, kept_if_any, form, status=422)
    same = flow.contact == checked.contact
    flow = msgspec.structs.replace(
        flow,
        contact=checked.contact,
        asked_contact=None,
        verification_id="",
        client=flow.client if same else None,
        patient=flow.patient if same else None,
    )
    fresh = await flows.rotate(redis, practice, token, flow)
    return see_other(f"{flow_path(practice, fresh)}/{next_step(flow)}")


@post("/book/{slug:str}/f/{token:str}/code/again")
async def send_again(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept_if_any: TheKeptIfAny,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    site: TheSite,
) -> Response[str]:
    """Send another code to the same contact; the one before is no longer asked for."""
    if flow.asked_contact is None:
        return see_other(f"{flow_path(practice, token)}/{next_step(flow)}")
    sent = await _send(request, practice, pool, redis, site, flow.asked_contact)
    if isinstance(sent, NotSent) and sent.challenge:
        form = Form({"contact": flow.asked_contact.value})
        return _not_sent_page(request, practice, token, flow, kept_if_any, form, sent)
    if isinstance(sent, NotSent):
        form = Form()
        form.errors["code"] = sent.words
        return _code_page(request, practice, token, flow, kept_if_any, form, status=sent.status)
    flow = msgspec.structs.replace(flow, verification_id=sent.verification_id)
    await flows.save(redis, practice, token, flow)
    return see_other(f"{flow_path(practice, token)}/code?again=1")


class NotSent(Struct, frozen=True, kw_only=True):
    """Why no code is on its way, in words for the page; `challenge`: what its script solves before it asks again."""

    words: str
    status: int
    challenge: str = ""


async def _send(
    request: HttpRequest,
    practice: Practice,
    pool: Pool,
    redis: Redis,
    site: Site,
    contact: Contact,
    *,
    proof_of_work: str = "",
) -> CodeSent | NotSent:
    address = caller(request)
    try:
        sent = await send_code(
            pool, redis, site, practice, contact, address=address, now=now(), proof_of_work=proof_of_work
        )
    except (CannotBeTexted, CannotBeEmailed) as impossible:
        return NotSent(words=str(impossible), status=422)
    except TextsUsedUp as used_up:
        return NotSent(words=str(used_up), status=429)
    match sent:
        case TooManyCodes():
            return NotSent(words=_wait_words(sent), status=429)
        case WorkNeeded():
            return NotSent(words="", status=429, challenge=msgspec.json.encode(sent.challenge).decode())
        case CodeSent():
            return sent


def _wait_words(refused: TooManyCodes) -> str:
    minutes = max(1, round(refused.wait.total_seconds() / 60))
    wait = f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 60 else "a few hours"  # noqa: PLR2004 - an hour
    return f"We sent several codes there already. Please use the newest one, or try again in {wait}."


def _tries_words(wrong: WrongCode) -> str:
    if wrong.tries_left == 0:
        return "That is not the code, and it was the last try. Please ask for a new code below."
    tries = f"{wrong.tries_left} more tries" if wrong.tries_left > 1 else "one more try"
    return f"That is not the code. Please check it: you have {tries}."


def _not_sent_page(
    request: HttpRequest, practice: Practice, token: str, flow: Flow, kept: Kept | None, form: Form, sent: NotSent
) -> Response[str]:
    """Say beside the contact why no code went there, or let the page's script work for one."""
    form.values["altcha"] = ""
    if sent.words:
        form.errors["contact"] = sent.words
    return _who_page(request, practice, token, flow, kept, form, status=sent.status, challenge=sent.challenge)


def _who_page(
    request: HttpRequest,
    practice: Practice,
    token: str,
    flow: Flow,
    kept: Kept | None,
    form: Form,
    *,
    status: int = 200,
    challenge: str = "",
) -> Response[str]:
    return booking_page(
        request,
        practice,
        "who.html",
        status=status,
        event="slot-selected",
        flow=flow,
        kept=kept,
        form=form,
        step=flow_path(practice, token),
        challenge=challenge,
    )


def _code_page(
    request: HttpRequest,
    practice: Practice,
    token: str,
    flow: Flow,
    kept: Kept | None,
    form: Form,
    *,
    status: int = 200,
    again: bool = False,
) -> Response[str]:
    step = flow_path(practice, token)
    return booking_page(
        request, practice, "code.html", status=status, flow=flow, kept=kept, form=form, step=step, again=again
    )
