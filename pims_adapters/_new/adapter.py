"""The contract's calls, as NewPims answers them.

What else it can do becomes a method: the contract has the names.
"""

from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct

from pims_adapters import contract
from pims_adapters._new.exchange import Absent, Exchange

Instant = Annotated[datetime, Meta(tz=True)]


class Column(Struct, frozen=True):
    """A person's or room's column, in NewPims's words."""

    id: str
    name: str


class Visit(Struct, frozen=True):
    """An appointment, in NewPims's words."""

    id: str
    start: Instant
    end: Instant
    columns: list[str]
    cancelled: bool = False
    type: str | None = None
    note: str = ""
    key: str | None = None

    def read(self) -> contract.Appointment:
        return contract.Appointment(
            pims_id=self.id,
            start=self.start,
            end=self.end,
            resources=tuple(self.columns),
            status="cancelled" if self.cancelled else "booked",
            appointment_type=self.type,
            description=self.note,
            marker=self.key,
        )


class Practice(Struct, frozen=True):
    """What NewPims says of itself."""

    id: str
    name: str
    zone: str


class Page(Struct, frozen=True):
    """What changed since a cursor."""

    practice: list[Practice]
    columns: list[Column]
    visits: list[Visit]
    deleted: list[str]
    cursor: str
    more: bool
    now: Instant


class Found(Struct, frozen=True):
    """The visits with a key."""

    visits: list[Visit]


class Created(Struct, frozen=True):
    """The answer to a creation."""

    id: str


class NewPimsAdapter:
    """One connection to one NewPims (see `contract.PimsAdapter` for what each call promises)."""

    feeds = (contract.Feed(name="everything", kinds=("practice", "resource", "appointment")),)
    asks: tuple[contract.DraftField, ...] = ()
    write_lag = timedelta()

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def check(self) -> contract.Checked:
        return contract.Checked(practice=_practice(await self._exchange.get("/practice", Practice)))

    async def changes(self, feed: str, cursor: str | None) -> contract.ChangePage:  # noqa: ARG002
        page = await self._exchange.get("/changes", Page, **({} if cursor is None else {"cursor": cursor}))
        changes: list[contract.Change] = [_practice(practice) for practice in page.practice]
        changes += [contract.Resource(pims_id=one.id, name=one.name, resource_kind="provider") for one in page.columns]
        changes += [visit.read() for visit in page.visits]
        changes += [contract.Gone(of="appointment", pims_id=id_) for id_ in page.deleted]
        return contract.ChangePage(changes=changes, cursor=page.cursor, more=page.more, as_of=page.now)

    async def create_appointment(self, draft: contract.AppointmentDraft, key: str) -> str | None:
        visit = {
            "start": draft.start,
            "end": draft.end,
            "columns": draft.resources,
            "type": draft.appointment_type,
            "note": draft.description,
            "key": key,
        }
        return (await self._exchange.post("/visits", visit, Created)).id

    async def find(self, kind: contract.Kind, key: str) -> str | None:
        if kind != "appointment":
            return None
        found = await self._exchange.get("/visits", Found, key=key)
        return found.visits[0].id if found.visits else None

    async def read(self, kind: contract.Kind, pims_id: str) -> contract.Appointment | None:
        if kind != "appointment":
            return None
        try:
            return (await self._exchange.get(f"/visits/{quote(pims_id, safe='')}", Visit)).read()
        except Absent:
            return None

    async def close(self) -> None:
        await self._exchange.close()


def _practice(practice: Practice) -> contract.Practice:
    return contract.Practice(pims_id=practice.id, name=practice.name, timezone=practice.zone)
