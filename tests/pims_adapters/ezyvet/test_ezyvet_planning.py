"""EzyVet's planning guides as rules: when a column is closed, and which types it takes otherwise."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from pims_adapters.contract import Gone, PlanningRule, RecurringTime
from pims_adapters.ezyvet.adapter import EzyVetAdapter
from pims_adapters.ezyvet.planning import recurring
from tests.ezyvet_double import EzyVetDouble, opened, running_double
from tests.pims_adapters.ezyvet.conftest import NOW
from tests.pims_adapters.ezyvet.double import seed
from tests.pims_adapters.ezyvet.reading import news, read

MONDAY = date(2026, 11, 23)
TUESDAY = MONDAY + timedelta(days=1)
DAYS = {"planning_days": "14"}


def starts_of(when: tuple[RecurringTime, ...]) -> set[tuple[datetime, datetime]]:
    """Write a recurrence out."""
    found = set()
    for one in when:
        starts = rrulestr(one.rrule, dtstart=one.starts) if one.rrule else [one.starts]
        found |= {(start, start + one.duration) for start in starts if start.date() not in one.exdates}
    return found


def allows(rules: list[PlanningRule], column: int, kind: int, at: datetime) -> bool:
    """Tell whether the rules leave a column to a type at an instant of local time."""
    for rule in rules:
        if rule.resources is None or str(column) not in rule.resources:
            continue
        applies = any(start <= at < end for start, end in starts_of(rule.when))
        named = rule.appointment_types is None or str(kind) in rule.appointment_types
        if applies and (named if rule.effect == "deny" else not named):
            return False
    return True


async def rules_of(double: EzyVetDouble) -> list[PlanningRule]:
    adapter = opened(double.settings | DAYS)
    changes, _ = await read(adapter, "planning")
    await adapter.close()
    return [one for one in changes if isinstance(one, PlanningRule)]


@pytest.mark.parametrize("v4", [True, False], ids=["v4", "ezycab"])
async def test_guides_come_as_rules_by_either_endpoint(double: EzyVetDouble, *, v4: bool) -> None:
    double.act("site", v4=v4)
    rules = await rules_of(double)
    at = {hour: datetime.combine(TUESDAY, time(hour)) for hour in (8, 9, 11, 12, 13, 16, 17)}
    assert allows(rules, seed.KELLER, seed.SURGERY, at[9])
    assert not allows(rules, seed.KELLER, seed.CONSULTATION, at[11])
    assert allows(rules, seed.KELLER, seed.CONSULTATION, at[13])
    assert not allows(rules, seed.LANG, seed.SURGERY, at[9])
    assert allows(rules, seed.WEI, seed.SURGERY, at[16])
    for closed in (at[8], at[12], at[17], datetime.combine(MONDAY - timedelta(days=1), time(10))):
        assert not allows(rules, seed.LANG, seed.CONSULTATION, closed)


async def test_booked_time_is_planned_time_all_the_same(double: EzyVetDouble) -> None:
    """When the appointment is cancelled its time is to be offered again, without waiting for a night."""
    rules = await rules_of(double)
    booked = [one for one in double.rows("appointment") if one["resources"][0]["id"] == seed.WEI and one["active"]]
    coming = [one for one in booked if one["start_at"] > NOW.timestamp()][:5]
    assert coming
    for row in coming:
        local = datetime.fromtimestamp(row["start_at"], ZoneInfo("America/New_York")).replace(tzinfo=None)
        if local.date() < NOW.date() + timedelta(days=14):
            assert allows(rules, seed.WEI, seed.CONSULTATION, local)


async def test_a_column_without_guides_is_left_to_us(double: EzyVetDouble) -> None:
    rules = await rules_of(double)
    named = {one for rule in rules for one in rule.resources or ()}
    assert named == {str(seed.LANG), str(seed.KELLER), str(seed.WEI)}


async def test_planning_is_read_five_columns_and_seven_days_at_a_time(double: EzyVetDouble) -> None:
    double.asked()
    await rules_of(double)
    asked = [one for one in double.asked() if one.endswith("availability")]
    assert len(asked) == 2 * 2  # seven columns, fourteen days


async def test_guides_that_are_taken_away_are_gone() -> None:
    with running_double(NOW) as double:
        await check_that_guides_go(double)


async def check_that_guides_go(double: EzyVetDouble) -> None:
    adapter = opened(double.settings | DAYS)
    before, cursor = await read(adapter, "planning")
    assert await news(adapter, "planning", cursor) == []
    double.act("site", no_guides_of=seed.WEI)
    changes = await news(adapter, "planning", cursor)
    await adapter.close()
    of_wei = [one.pims_id for one in before if one.pims_id.startswith(f"planning:{seed.WEI}:")]
    assert changes == [Gone(of="planningrule", pims_id=one) for one in sorted(of_wei)]


async def test_a_practice_may_leave_planning_to_us(double: EzyVetDouble) -> None:
    adapter = opened(double.settings | {"planning_days": "0"})
    double.asked()
    assert (await read(adapter, "planning"))[0] == []
    assert not [one for one in double.asked() if one.endswith("availability")]
    await adapter.close()


def test_the_planning_feed_is_asked_once_a_night() -> None:
    (planning,) = [feed for feed in EzyVetAdapter.feeds if feed.name == "planning"]
    assert planning.at == "02:30"


def test_days_alike_are_one_time_of_the_week_with_its_exceptions() -> None:
    days = [MONDAY + timedelta(days=ahead) for ahead in range(28) if ahead % 7 < 5 and ahead != 9]
    (one,) = recurring([(day, 540, 720) for day in days])
    assert one.exdates == (MONDAY + timedelta(days=9),)
    assert {start.date() for start, _ in starts_of((one,))} == set(days)
    assert one.duration == timedelta(hours=3)


def test_days_hardly_alike_are_told_one_by_one() -> None:
    days = [MONDAY, MONDAY + timedelta(days=15), MONDAY + timedelta(days=50)]
    found = recurring([(day, 540, 720) for day in days])
    assert {start.date() for start, _ in starts_of(tuple(found))} == set(days)
    assert all(one.rrule is None for one in found)
