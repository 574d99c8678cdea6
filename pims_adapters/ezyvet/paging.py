"""Reading ezyVet's lists: filters as JSON in the address, pages of at most 200, and rows that move while we read."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from pims_adapters.contract import PimsMisconfigured, PimsUnavailable
from pims_adapters.ezyvet import wire
from pims_adapters.ezyvet.line import Call, Refused

PAGE = 200
MOST_PAGES = 50

R = TypeVar("R", bound=wire.Row)


class Page(Struct, frozen=True):
    """What a page says beside its rows: how many there are, on how many pages, and ezyVet's clock."""

    total: int
    pages: int
    at: datetime


class Drifted(Exception):
    """Rows came or went while we read the pages, so one may have slipped by; stays inside this folder."""


def compared(**comparisons: object) -> str:
    """Write a filter's value, as `{"gt": "1745107200"}`."""
    return msgspec.json.encode(comparisons).decode()


async def page(call: Call, path: str, type_: type[R], query: dict[str, str], number: int = 1) -> tuple[list[R], Page]:
    """Read one page of a list such as `/v2/appointment`, and what it says beside its rows."""
    asked = [*query.items(), ("limit", str(PAGE)), ("page", str(number))]
    try:
        listed = await call.get(path, wire.Listed, asked)
    except Refused as refusal:
        if refusal.status in (404, 410):
            raise PimsMisconfigured("ezyVet has no such address: is the site still there?") from None
        raise
    kind = path.rsplit("/", 1)[1]
    try:
        rows = [_row(item[kind], type_) for item in listed.items]
    except (KeyError, msgspec.MsgspecError) as error:
        raise PimsUnavailable(f"ezyVet's {kind} cannot be read: {error}.", outcome_unknown=call.wrote) from None
    if call.at is None:
        raise PimsUnavailable("ezyVet does not say what time it is.", outcome_unknown=call.wrote)
    found = Page(listed.meta.items_total, listed.meta.items_page_total, call.at)
    return rows, found


def _row(raw: msgspec.Raw, type_: type[R]) -> R:
    row = msgspec.json.decode(raw, type=type_, strict=False)
    msgspec.structs.force_setattr(row, "looks", hashlib.blake2b(raw, digest_size=8).hexdigest())
    return row


async def every_row(call: Call, path: str, type_: type[R], query: dict[str, str], *, most: int = MOST_PAGES) -> list[R]:
    """Read all pages of a list. Raises `Drifted` where what was read cannot be everything.

    A list of more than `most` pages is unavailable: what is asked here is known to be shorter.
    """
    rows, first = await page(call, path, type_, query)
    if first.pages > most:
        raise PimsUnavailable(f"ezyVet has more of {path} than can be read at once.", outcome_unknown=call.wrote)
    for number in range(2, first.pages + 1):
        more, again = await page(call, path, type_, query, number)
        if (again.total, again.pages) != (first.total, first.pages):
            raise Drifted
        rows += more
    if len({row.id for row in rows}) != first.total:
        raise Drifted
    return rows


async def every_row_settled(
    call: Call, path: str, type_: type[R], query: dict[str, str], *, most: int = MOST_PAGES
) -> list[R]:
    """Read all pages, from the start once more where rows moved meanwhile."""
    try:
        return await every_row(call, path, type_, query, most=most)
    except Drifted:
        try:
            return await every_row(call, path, type_, query, most=most)
        except Drifted:
            raise PimsUnavailable(
                "ezyVet's rows kept moving while they were read.", outcome_unknown=call.wrote
            ) from None
