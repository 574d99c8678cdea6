"""What seldom changes at an ezyVet site: its zone, columns, appointment types, and the look-ups that rows point into.

Kept for some minutes, and read anew when a row points to something that is not known yet.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from pims_adapters.contract import PimsMisconfigured, PimsUnavailable, Practice, Status
from pims_adapters.ezyvet import wire, words
from pims_adapters.ezyvet.line import Call, Refused
from pims_adapters.ezyvet.paging import every_row_settled, page
from pims_adapters.ezyvet.settings import Settings

KEPT_SECONDS = 900.0
NOT_SOONER_SECONDS = 30.0
ON_CALENDAR = "on calendar"

R = TypeVar("R", bound=wire.Row)


class Included(Struct, frozen=True):
    """Something that the site's information refers to."""

    type: str = ""
    attributes: dict[str, msgspec.Raw] = {}


class SiteData(Struct, frozen=True):
    """The site, in the JSON:API shape that v3 speaks; the vendor's sample has `included` inside."""

    id: str
    attributes: dict[str, msgspec.Raw] = {}
    included: list[Included] = []


class SiteInformation(Struct, frozen=True):
    """The answer to `/v3/siteInformation`."""

    data: SiteData
    included: list[Included] = []

    def practice(self, site_uid: str) -> Practice:
        if self.data.id != site_uid:
            raise PimsMisconfigured("These credentials open another ezyVet site than the setting `site_uid` names.")
        zone = next(
            (
                _text(one.attributes.get("name"))
                for one in (*self.data.included, *self.included)
                if one.type == "timezone"
            ),
            "",
        )
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise PimsUnavailable("ezyVet's answer names no time zone that is known.", outcome_unknown=False) from None
        name = _text(self.data.attributes.get("name")) or f"ezyVet {site_uid}"
        return Practice(pims_id=site_uid, name=name, timezone=zone)


class Site:
    """One connection's knowledge of its site."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, tuple[float, list[wire.Row]]] = {}
        self._practice: Practice | None = None
        self._seconds: int | None = None

    async def practice(self, call: Call) -> Practice:
        """Return the practice and its zone; ezyVet tells no opening hours."""
        if self._practice is None:
            self._practice = await self.practice_now(call)
        return self._practice

    async def practice_now(self, call: Call) -> Practice:
        try:
            told = await call.get("/v3/siteInformation", SiteInformation, [])
        except Refused:
            raise PimsMisconfigured("There is no ezyVet site at this address.") from None
        return told.practice(self._settings.site_uid)

    async def zone(self, call: Call) -> ZoneInfo:
        return ZoneInfo((await self.practice(call)).timezone)

    async def types(self, call: Call) -> dict[str, wire.AppointmentType]:
        return by_id(await self._list(call, "/v2/appointmenttype", wire.AppointmentType))

    async def columns(self, call: Call) -> Columns:
        return Columns(await self._list(call, "/v2/resource", wire.Resource), self._settings.ownership_id)

    async def named(self, call: Call, path: str, of: set[str]) -> dict[str, wire.Named]:
        """Return a look-up by its ids; it is read anew where it lacks one of those asked for."""
        known = by_id(await self._list(call, path, wire.Named))
        return known if of <= known.keys() else by_id(await self._list(call, path, wire.Named, NOT_SOONER_SECONDS))

    async def types_with(self, call: Call, of: set[str]) -> dict[str, wire.AppointmentType]:
        known = await self.types(call)
        if of <= known.keys():
            return known
        return by_id(await self._list(call, "/v2/appointmenttype", wire.AppointmentType, NOT_SOONER_SECONDS))

    async def columns_with(self, call: Call, of: set[str]) -> Columns:
        known = await self.columns(call)
        if of <= known.rows.keys():
            return known
        rows = await self._list(call, "/v2/resource", wire.Resource, NOT_SOONER_SECONDS)
        return Columns(rows, self._settings.ownership_id)

    async def status_ids(self, call: Call, status: Status) -> list[str]:
        """Return the ids of the site's statuses that mean this, those that say it first first."""
        rows = await self._list(call, "/v1/appointmentstatus", wire.Named)
        fitting = [one for one in rows if one.is_active and words.status_of(one.name) == status]
        said = words.STATUSES[status]
        return [one.pims_id for one in sorted(fitting, key=lambda one: said.index(words.letters(one.name)))]

    async def seconds_per_unit(self, call: Call) -> int:
        """Return what an appointment's `duration` counts, which the vendor's pages leave open: seconds or minutes.

        Most appointments last as long as their type's default, which is in minutes; so they tell.
        """
        if self._seconds is None:
            types = await self.types(call)
            rows, _ = await page(call, "/v2/appointment", wire.Appointment, {})
            minutes = seconds = 0
            for row in rows:
                kind = types.get(wire.identifier(row.type_id) or "")
                default = wire.number(kind.default_duration) if kind else None
                minutes += row.duration == default
                seconds += default is not None and row.duration == default * 60
            if not rows:
                return 1
            self._seconds = 60 if minutes > seconds else 1
        return self._seconds

    async def refresh(self, call: Call) -> None:
        """Read columns and types anew."""
        await self._list(call, "/v2/resource", wire.Resource, 0)
        await self._list(call, "/v2/appointmenttype", wire.AppointmentType, 0)

    async def _list(self, call: Call, path: str, type_: type[R], kept: float = KEPT_SECONDS) -> list[R]:
        now = asyncio.get_running_loop().time()
        at, rows = self._kept.get(path, (-KEPT_SECONDS, []))
        if now - at > kept or kept == 0:
            rows = [*await every_row_settled(call, path, type_, {})]
            self._kept[path] = (now, rows)
        return [one for one in rows if isinstance(one, type_)]


class Columns:
    """The resources of the site: this location's calendar, and the same people's columns at other locations."""

    def __init__(self, rows: list[wire.Resource], ownership_id: int | None) -> None:
        self.rows = {one.pims_id: one for one in rows}
        self.here = [
            one
            for one in rows
            if one.is_active
            and one.access.casefold() == ON_CALENDAR
            and (ownership_id is None or wire.number(one.ownership_id) == ownership_id)
        ]
        by_name = {words.letters(one.name): one.pims_id for one in self.here}
        # Whoever is booked at another location is not here: there, their column has the same name.
        self.stands_for = {one.pims_id: by_name.get(words.letters(one.name)) for one in rows if one.is_active}
        self.stands_for |= {one.pims_id: one.pims_id for one in self.here}

    def used_by(self, row: wire.Appointment) -> tuple[str, ...]:
        """Return the columns here that an appointment keeps busy."""
        ids = [wire.identifier(used.id if isinstance(used, wire.Used) else used) for used in row.resources]
        found = [self.stands_for.get(one) for one in ids if one is not None]
        return tuple(dict.fromkeys(one for one in found if one is not None))


def by_id(rows: list[R]) -> dict[str, R]:
    return {one.pims_id: one for one in rows}


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return msgspec.json.decode(raw, type=str) if raw is not None else ""
    except msgspec.MsgspecError:
        return ""
