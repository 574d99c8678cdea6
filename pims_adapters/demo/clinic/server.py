"""HTTP around the demo PIMS: addresses to functions, keys, JSON in and out, and the faults that were ordered.

The standard library's server, one thread a connection: it starts at once, and it can do what no application server lets
an application do, drop a connection instead of answering.
"""

import hmac
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from pims_adapters.demo.clinic import interface, page, staff
from pims_adapters.demo.clinic.faults import Faults, Order
from pims_adapters.demo.clinic.interface import Refused
from pims_adapters.demo.clinic.records import KINDS
from pims_adapters.demo.clinic.store import Store

MOST_BODY_BYTES = 64 * 1024
JSON = "application/json"

T = TypeVar("T")


@dataclass(frozen=True)
class Clinic:
    """One running demo PIMS."""

    store: Store
    key: str
    write_seconds: float = 0
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True)
class Request:
    """What a route is given: the clinic, the matched parts of the path, the query and the body."""

    clinic: Clinic
    path: dict[str, str]
    query: dict[str, str]
    body: bytes
    now: datetime

    def decode(self, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(self.body, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(422, "invalid", str(error)) from None

    def asked(self, name: str, type_: type[T]) -> T:
        """Return a parameter of the query; it is refused where it is missing or not of this type."""
        try:
            return msgspec.convert(self.query[name], type_, strict=False)
        except (KeyError, msgspec.ValidationError):
            raise Refused(422, "invalid", f"The parameter {name!r} is missing or wrong.") from None


@dataclass(frozen=True)
class Answer:
    """A status, a body and its content type."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value))


def _created(id_: str) -> Answer:
    return _json({"id": id_}, 201)


def _find_or_list(request: Request) -> Answer:
    store, kind = request.clinic.store, request.path["kind"]
    if "external_key" in request.query:
        return _json({"items": interface.with_key(store, kind, request.query["external_key"])})
    if kind != "appointments":
        raise Refused(422, "invalid", f"Ask for {kind} by `external_key`.")
    start, end = (request.asked(name, interface.Instant) for name in ("from", "to"))
    return _json({"items": interface.appointments(store, start, end)})


def _changes(request: Request) -> Answer:
    limit = request.asked("limit", int) if "limit" in request.query else interface.MOST_CHANGES
    return _json(interface.changes(request.clinic.store, request.query.get("cursor"), limit, request.now))


def _order_fault(request: Request) -> Answer:
    order = request.decode(Order)
    request.clinic.faults.order(order)
    return _json(order, 201)


def _reset_faults(request: Request) -> Answer:
    request.clinic.faults.reset()
    return _json([])


def _forget(request: Request) -> Answer:
    request.clinic.store.forget_changes()
    return _json({})


def _day(request: Request) -> Answer:
    day = request.asked("date", date) if "date" in request.query else None
    html = page.day(request.clinic.store, day, request.query.get("columns", "doctors"), request.now)
    return Answer(200, html.encode(), "text/html; charset=utf-8", page.HEADERS)


def _body(type_: type[T], act: Callable[[Store, T], str]) -> Callable[[Request], Answer]:
    return lambda request: _created(act(request.clinic.store, request.decode(type_)))


def _on(type_: type[T], act: Callable[[Store, str, T], str]) -> Callable[[Request], Answer]:
    return lambda request: _json({"id": act(request.clinic.store, request.path["id"], request.decode(type_))})


@dataclass(frozen=True)
class Route:
    """A method and path, the name faults know it by ("" where none reach it), and what it does."""

    method: str
    path: re.Pattern[str]
    call: str
    act: Callable[[Request], Answer]


def _route(method: str, path: str, call: str, act: Callable[[Request], Answer]) -> Route:
    kinds = "|".join(KINDS)
    return Route(
        method, re.compile(path.replace("{kind}", f"(?P<kind>{kinds})").replace("{id}", "(?P<id>[^/]+)")), call, act
    )


ROUTES = (
    _route("GET", "/v1/practice", "practice", lambda request: _json(interface.practice(request.clinic.store))),
    _route("GET", "/v1/changes", "changes", _changes),
    _route("POST", "/v1/clients", "create_client", _body(interface.NewClient, interface.create_client)),
    _route("POST", "/v1/patients", "create_patient", _body(interface.NewPatient, interface.create_patient)),
    _route(
        "POST", "/v1/appointments", "create_appointment", _body(interface.NewAppointment, interface.create_appointment)
    ),
    _route(
        "POST", "/v1/appointments/{id}/change", "change_appointment", _on(interface.Move, interface.change_appointment)
    ),
    _route(
        "POST",
        "/v1/appointments/{id}/cancel",
        "cancel_appointment",
        _on(interface.Nothing, interface.cancel_appointment),
    ),
    _route(
        "POST",
        "/v1/appointments/{id}/confirm",
        "confirm_appointment",
        _on(interface.Nothing, interface.confirm_appointment),
    ),
    _route("GET", "/v1/(?P<kind>clients|patients|appointments)", "find", _find_or_list),
    _route(
        "GET",
        "/v1/{kind}/{id}",
        "read",
        lambda request: _json(interface.read(request.clinic.store, request.path["kind"], request.path["id"])),
    ),
    _route("POST", "/staff/appointments", "", _body(interface.NewAppointment, staff.create_appointment)),
    _route("POST", "/staff/appointments/{id}/move", "", _on(interface.Move, staff.move_appointment)),
    _route("POST", "/staff/appointments/{id}/state", "", _on(staff.NewState, staff.set_appointment_state)),
    _route("POST", "/staff/patients/{id}/state", "", _on(staff.NewPatientState, staff.set_patient_state)),
    _route("POST", "/staff/blocks", "", _body(staff.NewBlock, staff.create_block)),
    _route(
        "POST",
        "/staff/{kind}/{id}/delete",
        "",
        lambda request: _json({"id": staff.delete(request.clinic.store, request.path["kind"], request.path["id"])}),
    ),
    _route("POST", "/staff/changes/forget", "", _forget),
    _route("GET", "/faults", "", lambda request: _json(request.clinic.faults.pending())),
    _route("POST", "/faults", "", _order_fault),
    _route("DELETE", "/faults", "", _reset_faults),
    _route("GET", "/", "", _day),
)
OPEN_PATHS = ("/",)
"""What a browser may see without the key."""


def answer(request: Request, method: str, path: str, authorization: str) -> Answer | None:
    """Answer one request; None means that the connection is to be dropped."""
    try:
        route, matched = _find_route(method, path)
        if path not in OPEN_PATHS:
            _check_key(authorization, request.clinic.key)
        ready = replace(request, path=matched)
        fault = request.clinic.faults.take(route.call) if route.call else None
        return _misbehave(fault, partial(_act, route, ready)) if fault else _act(route, ready)
    except Refused as refused:
        return _refused(refused.status, refused.code, refused.reason)


def _check_key(authorization: str, key: str) -> None:
    if not hmac.compare_digest(authorization.encode(), f"Bearer {key}".encode()):
        raise Refused(401, "unauthorized", "The key is missing or wrong.")


def _act(route: Route, request: Request) -> Answer:
    done = route.act(request)
    if route.call.startswith(("create_", "change_", "cancel_", "confirm_")):
        sleep(request.clinic.write_seconds)
    return done


def _misbehave(fault: Order, act: Callable[[], Answer]) -> Answer | None:
    instead = {
        "pretend": _json({"id": "pretended"}),
        "reset_before": None,
        "unavailable": _refused(503, "unavailable", "Down for maintenance."),
        "rate_limited": _refused(429, "rate_limited", "Too many requests.", {"Retry-After": f"{fault.seconds:.0f}"}),
        "refuse": _refused(409, "taken", "Refused on request."),
    }
    if fault.fault in instead:
        return instead[fault.fault]
    done = act()
    if fault.fault == "slow_answer":
        sleep(fault.seconds)
        return done
    afterwards = {
        "answer_lost": None,
        "broken_answer": Answer(done.status, b'{"id": <b>oops'),
        "error_after": _refused(500, "internal", "Something went wrong."),
    }
    return afterwards[fault.fault]


def _refused(status: int, code: str, reason: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, msgspec.json.encode({"error": code, "reason": reason}), headers=headers or {})


def _find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    matches = [(route, found) for route in ROUTES if (found := route.path.fullmatch(path))]
    for route, found in matches:
        if route.method == method:
            return route, found.groupdict()
    if matches:
        raise Refused(405, "no_such_method", f"{method} is not for {path}.")
    raise Refused(404, "no_such_path", f"There is nothing at {path}.")


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, lets `answer` answer them, writes each answer in one piece."""

    protocol_version = "HTTP/1.1"
    server_version = "RiversidePractice/1"
    sys_version = ""
    timeout = 60
    wbufsize = MOST_BODY_BYTES
    disable_nagle_algorithm = True
    clinic: Clinic

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MOST_BODY_BYTES:
            self.close_connection = True
            self._send(_refused(413, "too_large", "At most 64 KiB, with a Content-Length."))
            return
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        request = Request(self.clinic, {}, query, self.rfile.read(int(length)), datetime.now(UTC))
        done = answer(request, self.command, address.path, self.headers.get("Authorization", ""))
        if done is None:
            self.close_connection = True
        else:
            self._send(done)

    def _send(self, done: Answer) -> None:
        self.send_response(done.status)
        self.send_header("Content-Type", done.content_type)
        self.send_header("Content-Length", str(len(done.body)))
        for name, value in done.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(done.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's signature
        """Keep quiet: addresses hold ids and keys."""

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the library's names


class Server(ThreadingHTTPServer):
    """Threads that end with the process, and no trace of callers that hung up."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's signature
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def open_server(clinic: Clinic, host: str, port: int) -> Server:
    """Listen; port 0 takes a free one. The caller serves and closes."""
    handler = type("ClinicHandler", (Handler,), {"clinic": clinic})
    return Server((host, port), handler)
