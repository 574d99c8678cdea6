"""Servers that are none, or mean ill: what they answer is one of the contract's errors, and the password stays here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pims_adapters import open_adapter
from pims_adapters.caldav.xml import UnreadableXml, multistatus, preconditions
from pims_adapters.contract import PimsAdapter, PimsError, PimsMisconfigured, PimsUnavailable
from tests.pims_adapters.promises.errors import all_that_is_said

BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<D:multistatus xmlns:D="DAV:"><D:response><D:href>&b;</D:href></D:response></D:multistatus>"""
LEAK = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<D:multistatus xmlns:D="DAV:"><D:response><D:href>&a;</D:href></D:response></D:multistatus>"""


def said(body: bytes, status: str = "207 Multi-Status", headers: str = "") -> bytes:
    date = "Date: Thu, 26 Nov 2026 10:00:00 GMT\r\n"
    return f"HTTP/1.1 {status}\r\n{date}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def home_at(href: str) -> bytes:
    return (
        '<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><response><href>/</href><propstat><prop>'
        f"<C:calendar-home-set><href>{href}</href></C:calendar-home-set></prop><status>HTTP/1.1 200 OK</status>"
        "</propstat></response></multistatus>"
    ).encode()


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[tuple[PimsAdapter, list[bytes]]]:
    """Serve these bytes, whatever is asked; lend an adapter on it, and what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(65536))
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        settings = {"url": url, "user": "u", "password": "pass-word", "timezone": "UTC", "timeout_seconds": "3"}
        adapter = open_adapter("caldav", settings)
        try:
            yield adapter, asked
        finally:
            await adapter.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        said(b""),
        said(b"<html>"),
        said(BOMB),
        said(LEAK),
        said(b"<a>" * 100 + b"</a>" * 100),
        said(b"<a " * 100_000),
        said(b"", "500 Oops"),
        said(b"", "302 Found", "Location: http://[::1\r\n"),
        said(b"\x1f\x8bno gzip", headers="Content-Encoding: gzip\r\n"),
        said(home_at("/u/"), headers="Transfer-Encoding: odd\r\n").replace(b"Date: Thu", b"Dote: Thu"),
    ],
)
async def test_what_cannot_be_read_is_unavailable(raw: bytes) -> None:
    async with answering(raw) as (adapter, _):
        for call in (adapter.check, lambda: adapter.changes("calendars", None)):
            with pytest.raises(PimsUnavailable) as failed:
                await call()
            assert not failed.value.outcome_unknown
            assert "pass-word" not in all_that_is_said(failed.value)


@pytest.mark.parametrize(
    "raw",
    [
        said(b"<html>", "404 Not Found"),
        said(b"<html>", "405 Method Not Allowed"),
        said(b"<html>", "403 Forbidden"),
        said(b'<multistatus xmlns="DAV:"/>'),
        said(b"", "302 Found", "Location: /again\r\n"),
        said(home_at("/u/")),  # a home that holds no calendars
    ],
)
async def test_a_server_that_keeps_no_calendars_is_misconfigured(raw: bytes) -> None:
    async with answering(raw) as (adapter, _):
        with pytest.raises(PimsMisconfigured):
            await adapter.check()


@pytest.mark.parametrize("by", ["redirect", "home"])
async def test_the_password_goes_to_nobody_else(by: str) -> None:
    async with answering(b"") as (_, stolen):
        pass
    async with answering(b"") as (other, stolen):
        elsewhere = str(getattr(other, "_settings").url)  # noqa: B009 - past the contract
        raw = (
            said(b"", "302 Found", f"Location: {elsewhere}\r\n")
            if by == "redirect"
            else said(home_at(elsewhere + "u/"))
        )
        async with answering(raw) as (adapter, _):
            with pytest.raises(PimsMisconfigured, match="another server"):
                await adapter.check()
        assert stolen == []


def test_a_document_type_is_refused_before_it_is_expanded() -> None:
    for document in (BOMB, LEAK):
        with pytest.raises(UnreadableXml, match="document type"):
            multistatus(document)
        assert preconditions(document) == set()


async def test_an_endless_answer_is_cut_off() -> None:
    async with answering(said(b"x" * (33 * 1024 * 1024))) as (adapter, _):
        with pytest.raises(PimsError):
            await adapter.check()
