"""A fictional practice's website, on an origin of its own: what a practice puts on its page, and nothing more.

`/` is the page, `/strict` the same page under a strict Content-Security-Policy.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import signal
import sys
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

FILES = Path(__file__).parent / "website"
FRESH = "no-cache"

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src {origin}; frame-src {origin}; "
    "connect-src {origin}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a careful practice sends: its own style and pictures, and of others only our script and frame."""


class Website(BaseHTTPRequestHandler):
    """Four addresses: the page, its strict twin, its style, its picture."""

    def __init__(self, *request: object, public_url: str) -> None:
        self._public_url = public_url
        super().__init__(*request)  # type: ignore[arg-type]  # what the server gives us, given on

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if path in {"/", "/strict"}:
            page = Template((FILES / "index.html").read_text(encoding="utf-8"))
            body = page.substitute(public_url=html.escape(self._public_url)).encode()
            policy = {"Content-Security-Policy": POLICY.format(origin=self._public_url)} if path == "/strict" else {}
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", body, policy)
        elif path == "/style.css":
            self._answer(HTTPStatus.OK, "text/css; charset=utf-8", (FILES / "style.css").read_bytes())
        elif path in {"/dog-and-cat.svg", "/favicon.ico"}:
            self._answer(HTTPStatus.OK, "image/svg+xml", (FILES / "dog-and-cat.svg").read_bytes())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"There is no such page.\n")

    do_HEAD = do_GET  # noqa: N815  # the standard library's name

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Cache-Control": FRESH, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):  # a browser that has gone on
                self.wfile.write(body)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--public-url", required=True, help="where the booking service is")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadingHTTPServer(("127.0.0.1", asked.port), partial(Website, public_url=asked.public_url)) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    main()
