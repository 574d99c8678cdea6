"""Static files: small, kept in memory, named by their content so that browsers may keep them for a year."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

from widget.state import HttpRequest

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class Asset(Struct, frozen=True, kw_only=True):
    """A file, also packed, under a name that changes with its content."""

    name: str
    media_type: str
    plain: bytes
    packed: bytes


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(
        name=f"{path.stem}.{sha256(content).hexdigest()[:10]}{path.suffix}",
        media_type=MEDIA_TYPES[path.suffix],
        plain=content,
        packed=gzip.compress(content, mtime=0),
    )


_ASSETS = {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
_BY_PUBLISHED_NAME = {one.name: one for one in _ASSETS.values()}


def asset(file: str) -> str:
    """Return the address of a file in `widget/static`."""
    return f"/static/{_ASSETS[file].name}"


@get("/static/{name:str}")
async def static_file(name: FromPath[str], request: HttpRequest) -> Response[bytes]:
    """Answer with a static file. An old name is not found: its page is old, too."""
    found = _BY_PUBLISHED_NAME.get(name)
    if found is None:
        raise NotFoundException
    packed = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(found.packed if packed else found.plain, media_type=found.media_type, headers=headers)
