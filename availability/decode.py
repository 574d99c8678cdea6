"""Between JSON and a problem: strict, bounded, and every fault with its path."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from availability.errors import ProblemError
from availability.problem import Resource, SlotProblem
from availability.spans import Busy, Span

LARGEST = 16 * 1024 * 1024
"""Bytes of JSON that are read at most."""


class _Resource(Resource, frozen=True, kw_only=True):
    """A resource as JSON has it: busy time in spans."""

    busy: Annotated[tuple[Span, ...], Meta(max_length=200_000)] = ()  # type: ignore[assignment]


class _SlotProblem(SlotProblem, frozen=True, kw_only=True):
    resources: Annotated[tuple[_Resource, ...], Meta(max_length=2_000)]


_DECODER = msgspec.json.Decoder(_SlotProblem)
_WITHOUT_SECONDS = re.compile(
    rb'("(?:starts?|end|now|earliest|latest)"\s*:\s*"\d{4}-\d\d-\d\dT\d\d:\d\d)((?:Z|[+-]\d\d:\d\d)?")'
)
"""A time without seconds, which ISO 8601 knows and RFC 3339, which msgspec reads, does not."""

_PLACE = re.compile(r"^(?P<message>.*?)(?: - at (?:`(?P<kind>key|value)` in )?`\$\.?(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:unknown|required) field `(?P<field>.*)`")


def decode(document: bytes) -> SlotProblem:
    """The problem that a JSON document states; raises ProblemError."""
    if len(document) > LARGEST:
        raise ProblemError("", f"the document is larger than {LARGEST} bytes")
    try:
        try:
            written = _DECODER.decode(document)
        except msgspec.ValidationError as error:
            if "RFC3339" not in str(error):
                raise
            written = _DECODER.decode(_WITHOUT_SECONDS.sub(rb"\1:00\2", document))
    except msgspec.ValidationError as error:
        raise _with_path(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError("", f"the document is no JSON: {error}") from error
    resources = tuple(_packed(resource, number) for number, resource in enumerate(written.resources))
    return SlotProblem(**{**msgspec.structs.asdict(written), "resources": resources})


def encode(problem: SlotProblem) -> bytes:
    """The JSON document that states a problem."""
    return msgspec.json.encode(problem, enc_hook=_spans_of)


def _spans_of(busy: Any) -> list[Span]:  # noqa: ANN401 - as msgspec has it
    return list(busy)


def _packed(resource: _Resource, number: int) -> Resource:
    try:
        busy = Busy.of(resource.busy)
    except ProblemError as error:
        raise ProblemError(f"resources[{number}].busy{error.path}", error.message) from error
    return Resource(**{**msgspec.structs.asdict(resource), "busy": busy})


def _with_path(text: str) -> ProblemError:
    """Msgspec appends the place to its message; unknown and missing fields are named in the message only."""
    match = _PLACE.fullmatch(text)
    message, path = (match["message"], match["path"] or "") if match else (text, "")
    field = _FIELD.search(message)
    if field:
        path = f"{path}.{field['field']}" if path else field["field"]
    return ProblemError(path, message[:200])
