"""The OpenAPI document of the agent protocol, for whoever writes an agent: made from the protocol's own structs.

`docs/agent-openapi.json` is a copy of it, which a test keeps in step; `python -m booking.api.agent.document` writes it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from booking.agents.pages import AnotherCursor
from booking.api.agent.calls import ENDINGS, CursorProblem, router
from booking.api.problems import EVERYWHERE, MEDIA_TYPE, OF_FRAMEWORK, PROBLEMS, Kind, Problem
from booking.api.staff.wire import path_in_camel_case
from pims_adapters._agent import protocol

Json: TypeAlias = dict[str, Any]
COPY: Final = Path(__file__).parents[3] / "docs" / "agent-openapi.json"

SAID: Final[dict[str, tuple[type[msgspec.Struct], type[msgspec.Struct]]]] = {
    "hello": (protocol.Hello, protocol.Welcome),
    "pages": (protocol.Page, protocol.PageKept),
    "calls/fetch": (protocol.Fetch, protocol.Calls),
    "calls/result": (protocol.Result, protocol.Done),
    "bye": (protocol.Bye, protocol.Done),
}
ASKED: Final[dict[str, tuple[type[msgspec.Struct], type[msgspec.Struct]]]] = {
    "find_clients": (protocol.FindClients, protocol.Rows),
    "create_client": (protocol.CreateClient, protocol.Created),
    "create_patient": (protocol.CreatePatient, protocol.Created),
    "create_appointment": (protocol.CreateAppointment, protocol.Created),
    "find": (protocol.Find, protocol.Created),
    "read": (protocol.Read, protocol.Rows),
    "cancel_appointment": (protocol.SetStatus, protocol.Done),
    "confirm_appointment": (protocol.SetStatus, protocol.Done),
    "set_status": (protocol.SetStatus, protocol.Done),
    "list": (protocol.ListRows, protocol.Rows),
    "export_conversation": (protocol.ExportConversation, protocol.Created),
    "find_conversation": (protocol.Find, protocol.Created),
    "resend": (protocol.Resend, protocol.Done),
}
"""What may be asked of an agent: the body of each call, and what a good answer to it is."""


def agent_document() -> bytes:
    """Return the document as it is read by people, too. Members are named as they are sent."""
    fields = {name for pair in (*SAID.values(), *ASKED.values()) for one in pair for name in one.__struct_fields__}
    words = re.compile(r"`(" + "|".join(sorted(name for name in fields if "_" in name)) + ")`")
    text = msgspec.json.format(msgspec.json.encode(_document()), indent=2).decode()
    return words.sub(lambda found: f"`{path_in_camel_case(found[1])}`", text).encode() + b"\n"


def _document() -> Json:
    types = [*(one for pair in (*SAID.values(), *ASKED.values()) for one in pair), Problem, CursorProblem]
    _, schemas = msgspec.json.schema_components(dict.fromkeys(types), ref_template="#/components/schemas/{name}")
    schemas["Call"]["properties"]["body"] = {"anyOf": _named(body for body, _ in ASKED.values())}
    schemas["Result"]["properties"]["answer"] = {"anyOf": _named(answer for _, answer in ASKED.values())}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vetslot agent protocol",
            "version": str(protocol.VERSION),
            "description": (protocol.__doc__ or "").partition("\n")[2].strip(),
        },
        "security": [{"agentToken": []}],
        "paths": {f"{router.path}/{path}": {"post": _operation(path)} for path in SAID},
        "components": {
            "securitySchemes": {
                "agentToken": {"type": "http", "scheme": "bearer", "description": "The connection's token (`ag_…`)."}
            },
            "schemas": dict(sorted(schemas.items())),
        },
        "x-calls": {
            call: {"body": _reference(body), "answer": _reference(answer)} for call, (body, answer) in ASKED.items()
        },
    }


def _operation(path: str) -> Json:
    asked, answered = SAID[path]
    says = (asked.__doc__ or "").partition(": ")[2].strip()
    return {
        "operationId": path.replace("/", "_"),
        "description": says,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(asked)}}},
        "responses": {
            "200": {
                "description": (answered.__doc__ or "").strip(),
                "content": {"application/json": {"schema": _reference(answered)}},
            },
            **_problems(path),
        },
    }


def _problems(path: str) -> Json:
    kinds: list[Kind] = [*EVERYWHERE, OF_FRAMEWORK[413], *(PROBLEMS[error] for error in ENDINGS[path])]
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for kind in kinds:
        by_status[kind.status].append(kind.code)
    with_cursor = PROBLEMS[AnotherCursor].status if AnotherCursor in ENDINGS[path] else None
    return {
        str(status): {
            "description": "Problem: " + ", ".join(f"`{code}`" for code in dict.fromkeys(codes)),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"anyOf": _named((Problem, CursorProblem))}
                    if status == with_cursor
                    else _reference(Problem)
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _named(types: Iterable[type[msgspec.Struct]]) -> list[Json]:
    return [_reference(one) for one in dict.fromkeys(types)]


def _reference(struct: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{struct.__name__}"}


if __name__ == "__main__":
    COPY.write_bytes(agent_document())
