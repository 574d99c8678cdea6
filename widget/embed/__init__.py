"""The script that a practice puts on its own website: one file for everybody, kept by browsers for minutes only."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

from litestar import Response, Router, get

from widget.state import HttpRequest

SCRIPT = Path(__file__).with_name("widget.js").read_bytes()
PACKED = gzip.compress(SCRIPT, mtime=0)
VERSION = sha256(SCRIPT).hexdigest()[:20]
HEADERS = {
    # Any website may load it, also one that isolates itself or pins the script's hash.
    "cross-origin-resource-policy": "cross-origin",
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=300, stale-while-revalidate=86400",
    "vary": "accept-encoding",
}


@get("/widget.js")
async def widget_script(request: HttpRequest) -> Response[bytes]:
    """Answer with the script, or say that the browser's copy is still good."""
    packed = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{VERSION}{"-gzip" if packed else ""}"'
    headers = HEADERS | {"etag": tag}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(b"", status_code=304, media_type="text/javascript; charset=utf-8", headers=headers)
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(PACKED if packed else SCRIPT, media_type="text/javascript; charset=utf-8", headers=headers)


router = Router("/", route_handlers=[widget_script])
