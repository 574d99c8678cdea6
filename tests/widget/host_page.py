"""A practice's own website as a test needs it: pages of another origin under a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

STYLE = "vet-booking { display: block; min-height: 90rem } p { margin: 0 }"


@contextmanager
def website(booking: str, elements: dict[str, str]) -> Iterator[str]:
    """Serve a page per path with its elements and our script; nothing but our origin and a style sheet is allowed."""
    policy = f"default-src 'none'; script-src {booking}; frame-src {booking} http://127.0.0.2:*; style-src 'self'"

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            media_type, body = "text/html", page(elements.get(self.path))
            if self.path == "/style.css":
                media_type, body = "text/css", STYLE
            if self.path == "/stranger":
                body = "<!doctype html><title>Another website</title><p>Nothing to see.</p>"
            self.send_response(200)
            self.send_header("Content-Type", f"{media_type}; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            """Say nothing."""

    def page(element: str | None) -> str:
        return (
            '<!doctype html><html lang="en"><title>Oak Lane</title><link rel="stylesheet" href="/style.css">'
            f'<h1>Oak Lane</h1>{element or ""}<p>After</p><script async src="{booking}/widget.js"></script></html>'
        )

    with ThreadingHTTPServer(("0.0.0.0", 0), Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
