"""Everything of a kind, by which what vanished without a word is noticed: ezyVet tells of no deletions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pims_adapters.contract import Appointment, Change, Listing, RecordKind
from pims_adapters.ezyvet import records, wire
from pims_adapters.ezyvet.booking import LONGEST_ENTRY, starting
from pims_adapters.ezyvet.feeds import ANIMALS, CONTACTS, asked_at, columns_and_types
from pims_adapters.ezyvet.line import Call
from pims_adapters.ezyvet.paging import Drifted, every_row
from pims_adapters.ezyvet.planning import planning_rules
from pims_adapters.ezyvet.settings import Settings
from pims_adapters.ezyvet.site import Site

MOST_DAYS = 62


async def listing_of(call: Call, site: Site, settings: Settings, kind: RecordKind, first: date, last: date) -> Listing:
    practice = await site.practice_now(call)
    as_of = asked_at(call)
    found: list[Change] = []
    complete = True
    try:
        match kind:
            case "practice":
                found.append(practice)
            case "resource":
                found += (await columns_and_types(call, site))[0]
            case "appointmenttype":
                found += (await columns_and_types(call, site))[1]
            case "planningrule":
                group, more = 0, True
                while more:
                    rules, more = await planning_rules(call, site, settings, group)
                    found += rules
                    group += 1
            case "client":
                contacts = await every_row(call, CONTACTS, wire.Contact, {})
                found += await records.clients(call, [one for one in contacts if wire.truth(one.is_customer)])
            case "patient":
                found += await records.patients(call, site, await every_row(call, ANIMALS, wire.Animal, {}))
            case "appointment":
                found += await _appointments(call, site, ZoneInfo(practice.timezone), first, last)
            case "blockoff" | "closure":
                pass  # ezyVet has none: its blocks are appointments
            case "vaccination" | "reminder":
                complete = False  # it may have some; they are not read
    except Drifted:
        found, complete = [], False
    return Listing(records=found, complete=complete, as_of=as_of)


async def _appointments(call: Call, site: Site, zone: ZoneInfo, first: date, last: date) -> list[Appointment]:
    last = min(last, first + timedelta(days=MOST_DAYS - 1))
    opens, closes = (_midnight(day, zone) for day in (first, last + timedelta(days=1)))
    rows = await starting(call, opens - LONGEST_ENTRY, closes)
    return [one for one in await records.appointments(call, site, rows) if one.end > opens]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
