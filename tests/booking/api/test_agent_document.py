"""What whoever writes an agent reads is what the server does."""

from __future__ import annotations

from typing import get_args

import msgspec

from booking.api.agent.calls import ENDINGS, router
from booking.api.agent.document import ASKED, COPY, SAID, agent_document
from booking.api.problems import EVERYWHERE, OF_FRAMEWORK, PROBLEMS, Kind
from pims_adapters._agent.protocol import CallName

DOCS = COPY.with_name("agent.md").read_text(encoding="utf-8")


def row(kind: Kind) -> str:
    return f"| `{kind.code}` | {kind.status} | {kind.title} | {'yes' if kind.retryable else ''} |"


def test_the_copy_in_docs_is_what_the_code_says() -> None:
    assert COPY.read_bytes() == agent_document(), "Write it anew: python -m booking.api.agent.document"


def test_every_route_and_every_call_is_told() -> None:
    assert {route.path.removeprefix(f"{router.path}/") for route in router.routes} == set(SAID) == set(ENDINGS)
    assert set(ASKED) == set(get_args(CallName))


def test_what_the_document_refers_to_is_there() -> None:
    document = msgspec.json.decode(agent_document())
    text = agent_document().decode()
    for name in document["components"]["schemas"]:
        text = text.replace(f'"#/components/schemas/{name}"', "")
    assert "#/components/schemas/" not in text


def test_the_table_of_problems_is_that_of_the_code() -> None:
    kinds = {
        kind.code: kind
        for kind in (
            *EVERYWHERE,
            OF_FRAMEWORK[413],
            *(PROBLEMS[error] for errors in ENDINGS.values() for error in errors),
        )
    }
    begin = "| code | status | | retryable |\n| --- | --- | --- | --- |\n"
    assert begin + "\n".join(row(kinds[code]) for code in sorted(kinds)) + "\n" in DOCS
