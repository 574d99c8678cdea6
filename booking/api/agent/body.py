"""Bodies of an agent's requests, read as the protocol has them: raw parts stay as they came, unknown members go."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from litestar.exceptions import ValidationException

from booking.api.given import HttpRequest

T = TypeVar("T", bound=msgspec.Struct)


async def read_body(request: HttpRequest, type_: type[T]) -> T:
    """Return what was sent. Raises what is answered as `malformed`, with the path of what is wrong."""
    try:
        return msgspec.json.decode(await request.body(), type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what, _, path = str(error).partition(" - at `")
        raise ValidationException(extra=[{"key": path.rstrip("`").removeprefix("$."), "message": what}]) from error
