"""Problems: how every request that cannot stand is answered (RFC 9457), in one table from errors to answers.

Clients of the API branch on `code` and `retryable`; `detail` is a sentence for people. Errors of the domain know no
HTTP: their docstring is the sentence, and this table gives them a status.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated

import asyncpg
import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta, Struct

from booking.agents.calls import ResultRefused
from booking.agents.lease import AgentRefused, AnotherAgent, HelloFirst, ProtocolRefused
from booking.agents.pages import AnotherCursor, BacklogFull, PageRefused
from booking.agents.tokens import AgentUnknown, NoAgentNeeded
from booking.api.given import HttpRequest
from booking.api.limits import RateLimited
from booking.api.refusals import (
    ClientUnclear,
    CodeNoLongerWorks,
    CodeWrong,
    DaysRefused,
    HoldNotExtended,
    NotFound,
    NotProven,
    SlotIsTaken,
    StartUnclear,
    WishUnclear,
    WorkRequired,
)
from booking.api.staff.who import FromAnotherSite, NotSignedIn, ScopeMissing
from booking.api_keys import ScopesBeyondYours
from booking.calendar_feed import FeedUnknown, ProviderUnknown, TooManyFeeds
from booking.change import BookingUnknown, MovedTooOften, NoLongerChangeable, TooLate
from booking.configure.changes import (
    CannotBeReverted,
    ChangedMeanwhile,
    ConfigurationRefused,
    NothingThere,
    OwnedByPims,
)
from booking.connect.refusals import (
    ConnectionBegun,
    ConnectionUnknown,
    SettingsRefused,
    StepOutOfOrder,
    SystemUnknown,
    TermsNotAccepted,
)
from booking.contacts import ContactUnreadableError
from booking.conversations import ConversationClosed, ConversationUnknown, NobodyToReach, NothingToExportTo
from booking.details import DetailsRefused
from booking.holds import HoldUnknown
from booking.identify import CannotBeEmailed, CannotBeTexted
from booking.live import TooManyStreams
from booking.offers import CallbackOnly, NotBookableOnline
from booking.once import KeyBusy, KeyMissing, KeyReused
from booking.out_of_reach import OUT_OF_REACH
from booking.policies import (
    CannotBeBooked,
    NewClientsNotWelcome,
    NotOnline,
    Refused,
    TooManyBookings,
    TooManyBookingsOfPatient,
    Urgent,
)
from booking.proof_of_work import Challenge
from booking.public_host import AddressNotPublic
from booking.questions import AnswersRefused
from booking.request import RequestDecided, RequestUnknown
from booking.slot_token import SlotTokenRefused
from booking.spending import TextsUsedUp
from booking.staff_book import AppointmentUnknown, CannotStandSo, ContactMissing, MadeInPims
from booking.sync.losses import NothingHeldBack
from booking.waitlist import NothingOffered, WaitlistFull, WaitlistUnknown, WaitRefused
from booking.webhooks import TooManyWebhooks, WebhookDisabled, WebhookUnknown
from booking.write_back_tasks import NotLinkable, RecordTaken, WriteBackSettled, WriteBackUnknown

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()


class FieldError(Struct, frozen=True, kw_only=True):
    """What is wrong with one field of a request, by its path (`patients[0].name`)."""

    path: str
    message: str


class Alternative(Struct, frozen=True, kw_only=True, rename="camel"):
    """A time that can still be booked."""

    start: datetime
    end: datetime
    token: str


class Problem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why a request was not done, and whether the same request may be sent again.

    What belongs to one kind of problem only is absent elsewhere: `errors` by field, `alternatives` to a lost time,
    `triesLeft` of a code, the `challenge` to be solved first.
    """

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: str
    retryable: bool
    errors: list[FieldError] = []
    alternatives: list[Alternative] = []
    tries_left: int | None = None
    phone: str | None = None
    emergency_text: str | None = None
    challenge: Challenge | None = None


class Kind(Struct, frozen=True, kw_only=True):
    """What is the same in all problems of a kind."""

    status: int
    code: str
    title: str
    retryable: bool = False


MALFORMED = Kind(status=400, code="malformed", title="The request could not be read")
BROKEN = Kind(status=500, code="internal-error", title="Something broke on our side")
UNAVAILABLE = Kind(status=503, code="unavailable", title="Out of reach for a moment", retryable=True)

PROBLEMS: dict[type[Exception], Kind] = {
    NotFound: Kind(status=404, code="not-found", title="Not found"),
    NotSignedIn: Kind(status=401, code="not-signed-in", title="Not signed in"),
    ScopeMissing: Kind(status=403, code="scope-missing", title="Beyond what you may do"),
    FromAnotherSite: Kind(status=403, code="from-another-site", title="Sent from another website"),
    ConfigurationRefused: Kind(status=422, code="configuration-refused", title="The change cannot stand"),
    OwnedByPims: Kind(status=409, code="owned-by-pims", title="This is the PIMS's to change"),
    ChangedMeanwhile: Kind(status=412, code="changed-meanwhile", title="Changed since you looked"),
    CannotBeReverted: Kind(status=409, code="cannot-be-reverted", title="Cannot be taken back"),
    NothingThere: Kind(status=404, code="not-found", title="Not found"),
    ScopesBeyondYours: Kind(status=403, code="scopes-beyond-yours", title="More than you may give"),
    KeyMissing: Kind(status=400, code="idempotency-key-missing", title="Idempotency-Key is missing"),
    KeyReused: Kind(status=422, code="idempotency-key-reused", title="Idempotency-Key was used otherwise"),
    KeyBusy: Kind(status=409, code="idempotency-key-busy", title="The same request is still running", retryable=True),
    ContactUnreadableError: Kind(status=422, code="contact-unreadable", title="Not a phone number or email address"),
    NotProven: Kind(status=401, code="not-proven", title="No contact is proven"),
    CodeWrong: Kind(status=422, code="code-wrong", title="Not the code"),
    CodeNoLongerWorks: Kind(status=410, code="code-expired", title="The code no longer works"),
    CannotBeTexted: Kind(status=422, code="cannot-be-texted", title="No texts to this number"),
    CannotBeEmailed: Kind(status=422, code="cannot-be-emailed", title="No emails at the moment"),
    TextsUsedUp: Kind(status=429, code="code-not-sent", title="No more texts today"),
    WorkRequired: Kind(status=428, code="proof-of-work-required", title="A proof of work is required", retryable=True),
    RateLimited: Kind(status=429, code="rate-limited", title="Too many requests", retryable=True),
    NotBookableOnline: Kind(status=422, code="not-bookable-online", title="Not bookable online"),
    DaysRefused: Kind(status=422, code="days-refused", title="Too many days, or out of order"),
    StartUnclear: Kind(status=422, code="start-unclear", title="No start that can be explained"),
    WishUnclear: Kind(status=422, code="wish-unclear", title="Neither a slot nor a start"),
    SlotTokenRefused: Kind(status=422, code="slot-token-refused", title="The slot was offered too long ago"),
    SlotIsTaken: Kind(status=409, code="slot-taken", title="Somebody was faster"),
    HoldNotExtended: Kind(status=409, code="hold-not-extended", title="The hold cannot be extended"),
    BookingUnknown: Kind(status=404, code="booking-unknown", title="No such booking"),
    NoLongerChangeable: Kind(status=409, code="no-longer-changeable", title="Over, under way or cancelled"),
    TooLate: Kind(status=409, code="too-late", title="Too soon before the visit"),
    MovedTooOften: Kind(status=409, code="moved-too-often", title="Moved several times already"),
    RequestUnknown: Kind(status=404, code="request-unknown", title="No such request"),
    RequestDecided: Kind(status=409, code="request-decided", title="Booked, declined or withdrawn already"),
    AppointmentUnknown: Kind(status=404, code="appointment-unknown", title="No such appointment"),
    MadeInPims: Kind(status=409, code="made-in-pims", title="This is the PIMS's to change"),
    CannotStandSo: Kind(status=409, code="cannot-stand-so", title="It is cancelled"),
    ContactMissing: Kind(status=422, code="contact-missing", title="No way to reach the client"),
    ConversationUnknown: Kind(status=404, code="conversation-unknown", title="No such conversation"),
    ConversationClosed: Kind(status=409, code="conversation-closed", title="The conversation is closed"),
    NobodyToReach: Kind(status=409, code="nobody-to-reach", title="No contact to reply to"),
    NothingToExportTo: Kind(status=409, code="nothing-to-export-to", title="No system to export to"),
    WriteBackUnknown: Kind(status=404, code="write-back-unknown", title="No such write-back"),
    WriteBackSettled: Kind(status=409, code="write-back-settled", title="Nothing to do for it now"),
    RecordTaken: Kind(status=409, code="record-taken", title="Another booking's record"),
    NotLinkable: Kind(status=409, code="not-linkable", title="Nothing that was to be created"),
    ClientUnclear: Kind(status=422, code="client-unclear", title="A client, or a new one"),
    HoldUnknown: Kind(status=404, code="hold-unknown", title="No such hold"),
    CallbackOnly: Kind(status=422, code="callback-only", title="Arranged by phone only"),
    CannotBeBooked: Kind(status=422, code="cannot-be-booked", title="Cannot be booked online"),
    NewClientsNotWelcome: Kind(status=403, code="new-clients-not-welcome", title="For the practice's own clients"),
    Refused: Kind(status=403, code="not-online", title="Not online"),
    NotOnline: Kind(status=403, code="not-online", title="Not online"),
    TooManyBookings: Kind(status=403, code="too-many-bookings", title="Several appointments are booked already"),
    TooManyBookingsOfPatient: Kind(
        status=403, code="too-many-bookings-of-patient", title="This pet has appointments already"
    ),
    Urgent: Kind(status=422, code="urgent", title="Call the practice now"),
    DetailsRefused: Kind(status=422, code="details-refused", title="Some details are missing"),
    AnswersRefused: Kind(status=422, code="answers-refused", title="Some answers are missing or unclear"),
    AddressNotPublic: Kind(status=422, code="address-not-public", title="Not an address on the public internet"),
    TooManyWebhooks: Kind(status=409, code="too-many-webhooks", title="No more webhooks"),
    WebhookDisabled: Kind(status=409, code="webhook-disabled", title="The webhook is disabled"),
    WebhookUnknown: Kind(status=404, code="webhook-unknown", title="No such webhook"),
    WaitRefused: Kind(status=422, code="wait-refused", title="No days to wait for"),
    WaitlistFull: Kind(status=409, code="waitlist-full", title="No more places on the waitlist"),
    WaitlistUnknown: Kind(status=404, code="waitlist-unknown", title="No such place on the waitlist"),
    NothingOffered: Kind(status=409, code="nothing-offered", title="No time is kept"),
    TooManyStreams: Kind(status=503, code="too-many-streams", title="Too many open streams", retryable=True),
    TooManyFeeds: Kind(status=409, code="too-many-feeds", title="No more calendar feeds"),
    FeedUnknown: Kind(status=404, code="feed-unknown", title="No such calendar feed"),
    ConnectionUnknown: Kind(status=404, code="connection-unknown", title="No PIMS is connected"),
    ConnectionBegun: Kind(status=409, code="connection-begun", title="A PIMS is connected already"),
    SystemUnknown: Kind(status=422, code="system-unknown", title="No such PIMS"),
    TermsNotAccepted: Kind(status=422, code="terms-not-accepted", title="The terms are not accepted"),
    StepOutOfOrder: Kind(status=409, code="step-out-of-order", title="Something else is to be done first"),
    NothingHeldBack: Kind(status=409, code="nothing-held-back", title="Nothing is held back"),
    SettingsRefused: Kind(status=422, code="settings-refused", title="This does not fit the PIMS"),
    ProviderUnknown: Kind(status=422, code="provider-unknown", title="No such provider"),
    NoAgentNeeded: Kind(status=409, code="no-agent-needed", title="No connection through an agent"),
    AgentUnknown: Kind(status=401, code="agent-unknown", title="Not an agent's token"),
    AgentRefused: Kind(status=403, code="agent-refused", title="The agent does not fit the connection"),
    ProtocolRefused: Kind(status=422, code="protocol-refused", title="Another version of the protocol"),
    AnotherAgent: Kind(status=409, code="another-agent", title="Another agent has the line", retryable=True),
    HelloFirst: Kind(status=409, code="hello-first", title="Say hello first"),
    AnotherCursor: Kind(status=409, code="another-cursor", title="Another page comes first"),
    PageRefused: Kind(status=422, code="page-refused", title="The page cannot be kept"),
    BacklogFull: Kind(status=503, code="backlog-full", title="Many pages wait already", retryable=True),
    ResultRefused: Kind(status=422, code="result-refused", title="Neither an answer nor a failure"),
}
"""Every error of the domain that a request can end in. A subclass without a line of its own is answered as its base."""

OF_FRAMEWORK = {
    400: MALFORMED,
    401: PROBLEMS[NotSignedIn],
    403: Kind(status=403, code="forbidden", title="Not allowed"),
    404: PROBLEMS[NotFound],
    405: Kind(status=405, code="method-not-allowed", title="Method not allowed"),
    413: Kind(status=413, code="too-large", title="More than we can take at once"),
    415: Kind(status=415, code="unsupported-media-type", title="Not JSON"),
    429: PROBLEMS[RateLimited],
}
UNWRITABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""What PostgreSQL says of U+0000 in a text or a JSON value, wherever in a request it came from."""
EVERYWHERE = (MALFORMED, OF_FRAMEWORK[429], BROKEN, UNAVAILABLE)


def declared(*errors: type[Exception]) -> dict[int, ResponseSpec]:
    """Return the `responses` of a route that may end in these errors, for its OpenAPI entry."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for kind in (*EVERYWHERE, *(PROBLEMS[error] for error in errors)):
        by_status[kind.status].append(kind.code)
    return {
        status: ResponseSpec(
            data_container=Problem,
            media_type=MEDIA_TYPE,
            generate_examples=False,
            description="Problem: " + ", ".join(f"`{code}`" for code in dict.fromkeys(codes)),
        )
        for status, codes in sorted(by_status.items())
    }


def kind_of(error: Exception) -> Kind | None:
    """Return how an error is answered; None where it is none that a request may end in."""
    return next((PROBLEMS[type_] for type_ in type(error).__mro__ if type_ in PROBLEMS), None)


def answer(kind: Kind, detail: str, **members: object) -> Response[Problem]:
    """Answer with a problem."""
    problem = Problem(
        type=f"urn:vetslot:problem:{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=kind.code,
        retryable=kind.retryable,
    )
    headers = {"retry-after": "5"} if kind is UNAVAILABLE else {}
    return Response(
        msgspec.structs.replace(problem, **members), status_code=kind.status, media_type=MEDIA_TYPE, headers=headers
    )


def on_refusal(_: HttpRequest, refusal: HTTPException) -> Response[Problem]:
    """Answer what the framework refuses: a body that cannot be read, an unknown path, a wrong method."""
    kind = OF_FRAMEWORK.get(refusal.status_code, BROKEN if refusal.status_code >= 500 else MALFORMED)  # noqa: PLR2004
    answered = answer(kind, kind.title + ".", errors=_field_errors(refusal))
    answered.headers.update({name.lower(): value for name, value in (refusal.headers or {}).items()})
    return answered


def _field_errors(refusal: HTTPException) -> list[FieldError]:
    found = refusal.extra if isinstance(refusal.extra, list) else []
    return [
        FieldError(path=str(one.get("key", "")), message=str(one.get("message", ""))[:500])
        for one in found[:50]
        if isinstance(one, dict)
    ]


def on_error(request: HttpRequest, error: Exception) -> Response[Problem]:
    """Answer an error: by the table, as out of reach, or as a fault of ours, which leaves a trace.

    What an error carries in `members` (`alternatives`, `errors` …) goes into the problem, `headers` into the answer.
    """
    kind = kind_of(error)
    if kind is not None:
        answered = answer(kind, str(error), **getattr(error, "members", {}))
        answered.headers.update(getattr(error, "headers", {}))
        return answered
    if isinstance(error, UNWRITABLE):
        return answer(MALFORMED, "Please leave out the character U+0000: it cannot be kept.")
    if isinstance(error, RecursionError) and "deserializing" in str(error):
        return answer(MALFORMED, "Please send less deeply nested JSON.")
    kind = UNAVAILABLE if isinstance(error, OUT_OF_REACH) else BROKEN
    log.error("request.failed", route=request.scope.get("path_template", ""), status=kind.status, exc_info=error)
    if kind is UNAVAILABLE:
        return answer(kind, "We cannot reach our own records right now. Nothing is lost; please try again in a moment.")
    return answer(kind, "It is not your fault, and nothing is booked twice. Please try again.")
