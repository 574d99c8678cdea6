"""The line to ezyVet: its token, its limits of calls, and whatever a server may answer."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import msgspec
import pytest

from pims_adapters import open_adapter
from pims_adapters.contract import AppointmentDraft, ClientDraft, PimsError, PimsMisconfigured, PimsUnavailable
from pims_adapters.ezyvet.adapter import EzyVetAdapter
from pims_adapters.ezyvet.pace import BRIEFLY, Pace
from pims_adapters.ezyvet.token import Granted
from tests.ezyvet_double import EzyVetDouble, opened
from tests.pims_adapters.ezyvet.double.vendor import CREDENTIALS
from tests.pims_adapters.ezyvet.reading import read

JANE = ClientDraft(given_name="Jane", family_name="Doe", email="jane@example.com")
TOKEN = "POST /v1/oauth/access_token"


async def test_one_token_serves_all_calls(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    double.asked()
    await asyncio.gather(*(adapter.check() for _ in range(5)))
    await read(adapter, "appointments")
    assert double.asked().count(TOKEN) == 1


async def test_a_token_that_ends_midway_is_renewed_and_nothing_is_missed(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    first = await adapter.changes("people", None)
    double.act("tokens", revoke=True)
    double.asked()
    rest, _ = await read(adapter, "people", first.cursor)
    assert double.asked().count(TOKEN) == 1
    whole, _ = await read(adapter, "people")
    assert [one.pims_id for one in [*first.changes, *rest]] == [one.pims_id for one in whole]


async def test_a_token_is_renewed_before_it_ends_by_its_own_claims(double: EzyVetDouble) -> None:
    """`expires_in` says 14 days."""
    double.act("tokens", seconds=61)
    adapter = opened(double.settings)
    double.asked()
    await adapter.check()
    await asyncio.sleep(1.1)
    await adapter.check()
    await adapter.close()
    assert double.asked().count(TOKEN) == 2


@pytest.mark.parametrize(
    ("token", "said", "lasts"),
    [
        ("plain", None, 43200),
        ("plain", 600, 600),
        ("plain", "600", 600),
        ("plain", 1209600, 43200),
        ("plain", "soon", 43200),
        ("a.b.c", 900, 900),
        (f"x.{base64.urlsafe_b64encode(msgspec.json.encode({'iat': 1000, 'exp': 4600})).decode()}.x", 1209600, 3600),
        (f"x.{base64.urlsafe_b64encode(msgspec.json.encode({'iat': 5000, 'exp': 4600})).decode()}.x", 1209600, 0),
    ],
)
def test_a_token_lasts_as_long_as_its_claims_say(token: str, said: float | str | None, lasts: float) -> None:
    assert Granted(access_token=token, expires_in=said).lasts() == lasts


async def test_a_site_that_refuses_every_token_is_misconfigured(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    double.order("unauthorized", "read", times=2)
    with pytest.raises(PimsMisconfigured):
        await adapter.check()


async def test_credentials_of_another_site_are_misconfigured(double: EzyVetDouble) -> None:
    adapter = opened(double.settings | {"site_uid": "site_Elsewhere"})
    with pytest.raises(PimsMisconfigured):
        await adapter.check()
    await adapter.close()


@pytest.mark.parametrize("fault", ["unavailable", "reset_before", "rate_limited", "slow", "broken_answer"])
async def test_a_token_that_does_not_come_leaves_nothing_unknown(
    double: EzyVetDouble, draft: AppointmentDraft, fault: str
) -> None:
    adapter = opened(double.settings | {"timeout_seconds": "0.5"})
    double.order(fault, "token", seconds=1)
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.create_appointment(draft, "VS-TOKEN")
    assert not failed.value.outcome_unknown
    await adapter.close()


async def test_a_short_wait_that_ezyvet_asks_for_is_waited(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    await adapter.check()
    double.order("rate_limited", "read", seconds=0.3)
    began = monotonic()
    await adapter.check()
    assert 0.3 <= monotonic() - began < 2


@pytest.mark.parametrize("fault", ["rate_limited", "rate_limited_until"])
async def test_a_long_wait_is_told_and_ezyvet_is_not_asked_meanwhile(
    double: EzyVetDouble, adapter: EzyVetAdapter, fault: str
) -> None:
    double.order(fault, "read", seconds=60)
    with pytest.raises(PimsUnavailable):
        await adapter.check()
    double.asked()
    with pytest.raises(PimsUnavailable, match="seconds"):
        await adapter.check()
    assert double.asked() == []


async def test_what_the_vendor_allows_is_never_exceeded(double: EzyVetDouble) -> None:
    """Sixty calls a minute to an endpoint: the double would answer the sixty-first with 429, and is never made to."""
    double.act("site", per_minute=6)
    adapter = opened(double.settings | {"endpoint_calls_per_minute": "6"})
    await adapter.check()
    double.asked()
    refused = 0
    for _ in range(9):
        try:
            await adapter.check()
        except PimsUnavailable:
            refused += 1
    await adapter.close()
    assert refused == 4
    assert double.asked().count("GET /v3/siteInformation") == 5


async def test_all_endpoints_together_have_a_limit_and_availability_one_of_its_own() -> None:
    pace = Pace(per_endpoint=3, overall=4)
    far = asyncio.get_running_loop().time() + 100
    for endpoint in ("/a", "/a", "/a", "/b"):
        await pace.turn(endpoint, by=far, unknown=False)
    for endpoint in ("/a", "/b", "/c"):
        with pytest.raises(PimsUnavailable) as refused:
            await pace.turn(endpoint, by=far, unknown=True)
        assert refused.value.outcome_unknown
    for _ in range(50):
        await pace.turn("/v4/calendar/availability", by=far, unknown=False)


async def test_a_closed_endpoint_opens_again() -> None:
    pace = Pace(per_endpoint=60, overall=180)
    now = asyncio.get_running_loop().time()
    pace.close("/a", 0.2)
    await pace.turn("/b", by=now + 10, unknown=False)
    assert asyncio.get_running_loop().time() - now < 0.1
    await pace.turn("/a", by=now + 10, unknown=False)
    assert asyncio.get_running_loop().time() - now >= 0.2
    pace.close("/a", BRIEFLY + 1)
    with pytest.raises(PimsUnavailable):
        await pace.turn("/a", by=now + 100, unknown=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://api.ezyvet.com"},
        {"url": "https://api.ezyvet.com?x=1"},
        {"url": "https://me:word@api.ezyvet.com"},
        {"booking_url": "http://192.0.2.1"},
        {"planning_days": "-1"},
        {"timeout_seconds": "3600"},
        {"scope": "read-appointment\nwrite"},
        {"partner_id": "two words"},
    ],
)
def test_settings_that_do_not_fit_are_misconfigured_and_name_no_secret(settings: dict[str, str]) -> None:
    fitting = {name: value for name, value in CREDENTIALS.items() if name != "grant_type"} | {"site_uid": "site_1"}
    open_adapter("ezyvet", fitting)
    with pytest.raises(PimsMisconfigured) as refused:
        open_adapter("ezyvet", fitting | settings)
    assert CREDENTIALS["client_secret"] not in str(refused.value)
    assert "word@" not in str(refused.value)


async def test_neither_logs_nor_errors_tell_secrets_or_people(
    double: EzyVetDouble, adapter: EzyVetAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = []
    for fault in ("refused", "forbidden", "error_after", "broken_answer"):
        double.order(fault, "write")
        with pytest.raises(PimsError) as failed:
            await adapter.create_client(JANE, f"C-SECRET-{fault}")
        said.append(f"{failed.value!r} {failed.value.__cause__!r}")
    told = "\n".join([*said, caplog.text])
    for secret in (CREDENTIALS["client_secret"], "Bearer", "Zebulon", "jane@example.com", "Jane"):
        assert secret not in told


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """Grant a token, and serve these bytes to whatever else is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(65536)
        writer.write(http(b'{"access_token": "t"}') if b"oauth" in head else raw)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\nDate: Sun, 22 Nov 2026 15:00:00 GMT\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n"
    return head % (status.encode(), len(body), headers) + body


@pytest.mark.parametrize(
    ("raw", "write_unknown"),
    [
        (b"", True),
        (b"SSH-2.0-OpenSSH_9\r\n", True),
        (http(b""), True),
        (http(b"{}"), True),
        (http(b'{"items": []}'), True),
        (http(b'{"items": [{"contact": {"id": "none"}}]}'), True),
        (http(b'{"items": [{"contact": {"id": 1}}, {"contact": {"id": 2}}]}'), True),
        (http(b'{"items": "\xff"}'), True),
        (http(b"[" * 100_000), True),
        (http(b'{"id": "' + b"x" * 9_000_000 + b'"}'), True),
        (http(b"\x1f\x8bno gzip", headers=b"Content-Encoding: gzip\r\n"), True),
        (http(b"", "500 Oops"), True),
        (http(b"", "302 Found", b"Location: http://127.0.0.1:1/\r\n"), True),
        (http(b"<html>", "429 Slow Down"), False),
    ],
)
async def test_whatever_a_server_answers_is_one_of_the_contracts_errors(raw: bytes, *, write_unknown: bool) -> None:
    settings = {name: value for name, value in CREDENTIALS.items() if name != "grant_type"} | {"site_uid": "site_1"}
    async with answering(raw) as url:
        adapter = opened(settings | {"url": url, "timeout_seconds": "3"})
        with pytest.raises(PimsUnavailable) as failed:
            await adapter.create_client(JANE, "C-STRANGE")
        assert failed.value.outcome_unknown is write_unknown
        for feed in adapter.feeds if write_unknown else ():
            with pytest.raises(PimsError):
                await adapter.changes(feed.name, None)
        await adapter.close()


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "404 Not Found"])
async def test_a_server_that_is_no_ezyvet_is_misconfigured(status: str) -> None:
    settings = {name: value for name, value in CREDENTIALS.items() if name != "grant_type"} | {"site_uid": "site_1"}
    async with answering(http(b"<html>", status, b"Location: http://127.0.0.1:1/\r\n")) as url:
        adapter = opened(settings | {"url": url})
        with pytest.raises(PimsMisconfigured):
            await adapter.check()
        await adapter.close()


async def test_a_whole_call_is_bounded_however_many_questions_it_takes(double: EzyVetDouble) -> None:
    adapter = opened(double.settings | {"timeout_seconds": "0.8"})
    double.order("slow", "read", times=10, seconds=0.3)
    began = monotonic()
    with pytest.raises(PimsUnavailable):
        await read(adapter, "people")
    assert monotonic() - began < 2
    await adapter.close()
