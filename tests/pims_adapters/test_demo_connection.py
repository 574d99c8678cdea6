"""Connections that cannot work, and servers that are no PIMS: only the contract's errors come out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pims_adapters import open_adapter
from pims_adapters.contract import ClientDraft, PimsError, PimsMisconfigured, PimsUnavailable
from tests.demo_clinic import DemoClinic, opened

JANE = ClientDraft(given_name="Jane", family_name="Doe")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"url": "http://127.0.0.1:1"},
        {"url": "127.0.0.1:8100", "key": "k"},
        {"url": "ftp://127.0.0.1", "key": "k"},
        {"url": "http://", "key": "k"},
        {"url": "http://[::1", "key": "k"},
        {"url": "http://127.0.0.1:1", "key": ""},
        {"url": "http://127.0.0.1:1", "key": "a\nb"},
        {"url": "http://127.0.0.1:1", "key": "k", "timeout_seconds": "soon"},
        {"url": "http://127.0.0.1:1", "key": "k", "timeout_seconds": "0"},
        {"url": "http://127.0.0.1:1", "key": "k", "timeout_seconds": "nan"},
        {"url": "http://127.0.0.1:1", "key": "k", "colour": "blue"},
    ],
)
def test_settings_that_do_not_fit_are_misconfigured(settings: dict[str, str]) -> None:
    with pytest.raises(PimsMisconfigured):
        open_adapter("demo", settings)


@pytest.mark.parametrize("name", ["nonesuch", "", "../demo", "demo.clinic"])
def test_an_adapter_that_does_not_exist_is_misconfigured(name: str) -> None:
    with pytest.raises(PimsMisconfigured):
        open_adapter(name, {})


async def test_a_wrong_key_is_misconfigured_and_writes_nothing(clinic: DemoClinic) -> None:
    adapter = opened(clinic.settings | {"key": "wrong"})
    for call in (adapter.check(), adapter.create_client(JANE, "wrong key"), adapter.read("client", "client-0001")):
        with pytest.raises(PimsMisconfigured):
            await call
    await adapter.close()
    assert clinic.with_key("clients", "wrong key") == []


async def test_a_wrong_base_address_is_misconfigured_and_not_an_absence(clinic: DemoClinic) -> None:
    adapter = opened(clinic.settings | {"url": f"{clinic.url}/elsewhere"})
    for call in (adapter.check(), adapter.find("client", "k"), adapter.read("client", "client-carter")):
        with pytest.raises(PimsMisconfigured):
            await call
    await adapter.close()


async def test_a_pims_that_is_down_is_unavailable_and_nothing_is_unknown() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        adapter = opened({"url": f"http://127.0.0.1:{reserved.getsockname()[1]}", "key": "k"})
        with pytest.raises(PimsUnavailable) as failed:
            await adapter.create_client(JANE, "down")
        assert not failed.value.outcome_unknown
        await adapter.close()


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """Serve these bytes, whatever is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status.encode(), len(body), headers) + body


@pytest.mark.parametrize(
    ("raw", "write_unknown"),
    [
        (b"", True),
        (b"SSH-2.0-OpenSSH_9\r\n", True),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{", True),
        (http(b"", "201 Created"), True),
        (http(b"{}", "201 Created"), True),
        (http(b'{"id": 7}', "201 Created"), True),
        (http(b'{"id": "\xff"}', "201 Created"), True),
        (http(b"[" * 100_000, "201 Created"), True),
        (http(b'{"id": "' + b"x" * 9_000_000 + b'"}', "201 Created"), True),
        (http(b"\x1f\x8bno gzip", "201 Created", b"Content-Encoding: gzip\r\n"), True),
        (http(b"", "500 Oops"), True),
        (http(b"[" * 100_000, "502 Bad Gateway"), True),
        (http(b"<html>", "429 Slow Down"), False),
    ],
)
async def test_whatever_a_server_answers_is_one_of_the_contracts_errors(raw: bytes, *, write_unknown: bool) -> None:
    async with answering(raw) as url:
        adapter = opened({"url": url, "key": "k", "timeout_seconds": "3"})
        with pytest.raises(PimsUnavailable) as failed:
            await adapter.create_client(JANE, "strange")
        assert failed.value.outcome_unknown is write_unknown
        with pytest.raises(PimsError):
            await adapter.changes("everything", None)
        await adapter.close()


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "404 Not Found"])
async def test_a_server_that_is_no_pims_is_misconfigured(status: str) -> None:
    async with answering(http(b"<html>", status, b"Location: http://127.0.0.1:1/\r\n")) as url:
        adapter = opened({"url": url, "key": "k"})
        for call in (adapter.check(), adapter.create_client(JANE, "no pims")):
            with pytest.raises(PimsMisconfigured):
                await call
        await adapter.close()
