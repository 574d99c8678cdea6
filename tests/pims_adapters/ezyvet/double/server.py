"""HTTP around the double: ezyVet's addresses, and below `/double/` the hands of its staff and whoever breaks it."""

from __future__ import annotations

import json
import re
import sys
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.pims_adapters.ezyvet.double import vendor
from tests.pims_adapters.ezyvet.double.control import ACTIONS, Double
from tests.pims_adapters.ezyvet.double.faults import Kind, Order
from tests.pims_adapters.ezyvet.double.store import TABLES, Refusal

LIST = re.compile(r"/(?P<version>v1|v2)/(?P<table>\w+)(?:/(?P<id>\d+))?")
TOKEN_PATH = "/v1/oauth/access_token"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "ezyVetDouble/1"
    sys_version = ""
    timeout = 60
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    double: Double

    def _serve(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        query = parse_qsl(address.query, keep_blank_values=True)
        if address.path.startswith("/double/"):
            self._answer(200, self._control(address.path.removeprefix("/double/"), body))
            return
        kind: Kind = "token" if address.path == TOKEN_PATH else "read" if self.command == "GET" else "write"
        self.double.asked.append(f"{self.command} {address.path}")
        try:
            self._meet(kind, address.path, query, body)
        except Refusal as refusal:
            self._refuse(refusal)

    def _meet(self, kind: Kind, path: str, query: list[tuple[str, str]], body: bytes) -> None:
        left = self.double.left_of_minute(path) if kind != "token" else None
        if left is not None and left < 0:
            self._refuse(Refusal(429, "RateLimitException", "Too many requests."), {"x-ratelimit-reset": "30"})
            return
        order = self.double.faults.take(kind, path)
        if order is not None and self._before(order):
            return
        if kind != "token":
            self.double.tokens.check(self.headers.get("Authorization", ""))
        with self.double.store.lock:
            done = self._act(path, query, body)
        if order is None:
            self._answer(200, done, {} if left is None else {"x-ratelimit-remaining": str(left)})
        else:
            self._after(order, done)

    def _before(self, order: Order) -> bool:
        """Misbehave before anything is done; False where the fault comes after."""
        until = str(int(self.double.store.now().timestamp() + order.seconds))
        match order.fault:
            case "refused":
                text = "Zebulon Quillfeather cannot be booked."
                self._refuse(Refusal(422, "InvalidParameterException", text, ("description",)))
            case "rate_limited":
                refusal = Refusal(429, "RateLimitException", "Too many requests.")
                self._refuse(refusal, {"Retry-After": f"{order.seconds:g}"})
            case "rate_limited_until":
                self._refuse(Refusal(429, "RateLimitException", "Too many requests."), {"x-ratelimit-reset": until})
            case "unavailable":
                self._refuse(Refusal(503, "ServiceUnavailable", "Down for maintenance."))
            case "unauthorized":
                self._refuse(Refusal(401, "InvalidRequestException", 'Check the "access token" parameter.'))
            case "forbidden":
                self._refuse(Refusal(403, "InsufficientScopeException", "Missing scope."))
            case "redirect":
                self._answer(302, {}, {"Location": "http://127.0.0.1:9/"})
            case "reset_before":
                self.close_connection = True
            case _:
                return False
        return True

    def _after(self, order: Order, done: dict[str, Any]) -> None:
        match order.fault:
            case "answer_lost":
                self.close_connection = True
            case "error_after":
                self._refuse(Refusal(500, "ServerException", "Something went wrong."))
            case "broken_answer":
                self._raw(200, json.dumps(done).encode()[:9])
            case "malformed_success":
                self._answer(200, {"id": "bookingRequest_1", "items": [{"other": {"id": 1}}]})
            case _:
                sleep(order.seconds)
                self._answer(200, done)

    def _act(self, path: str, query: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
        store, content_type = self.double.store, self.headers.get("Content-Type", "")
        match self.command, path:
            case "POST", "/v1/oauth/access_token":
                return self.double.tokens.grant(body, content_type)
            case "GET", "/v3/siteInformation":
                return vendor.site_information(store)
            case "GET", "/v4/calendar/availability" if store.v4:
                return vendor.availability(store, query, whole_instants=False)
            case "GET", "/ezycab/availability":
                return vendor.availability(store, query, whole_instants=True)
            case "POST", "/ezycab/booking":
                return vendor.book(store, json.loads(body))
            case "POST", "/v1/contact":
                return vendor.create_contact(store, json.loads(body))
            case "POST", "/v1/animal":
                return vendor.create_animal(store, json.loads(body))
        matched = LIST.fullmatch(path)
        if matched is None or matched["table"] not in TABLES:
            raise Refusal(404, "NotFoundException", "There is nothing here.")
        number = matched["id"]
        if self.command == "PATCH" and matched["table"] == "appointment" and number is not None:
            return vendor.patch_appointment(store, int(number), json.loads(body), content_type)
        if self.command != "GET":
            raise Refusal(405, "MethodNotAllowedException", "Not here.")
        filters = dict(query) | ({"id": number} if number is not None else {})
        return store.listed(matched["version"], matched["table"], filters)

    def _control(self, action: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        name, *of = action.split("/")
        with self.double.store.lock:
            return ACTIONS[name](self.double, of, json.loads(body or b"{}"))

    def _refuse(self, refusal: Refusal, headers: dict[str, str] | None = None) -> None:
        message = {"level": "error", "type": refusal.type, "text": refusal.text, "fields": list(refusal.fields)}
        self._answer(refusal.status, {"messages": [message]}, headers)

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(body).encode(), headers)

    def _raw(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 - the library's signature
        return format_datetime(self.double.store.now(), usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's signature
        """Keep quiet."""

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the library's names


class Server(ThreadingHTTPServer):
    """Threads that end with the process, and no trace of callers that hung up."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's signature
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def open_server(double: Double, port: int) -> Server:
    """Listen on this machine; port 0 takes a free one."""
    return Server(("127.0.0.1", port), type("DoubleHandler", (Handler,), {"double": double}))
