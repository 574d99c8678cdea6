"""Where no time suits, a client waits; the link they are sent leads to the time that came free, and on into booking."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from booking.site import Site
from booking.waitlist import look_through
from tests.widget.cedar_hill import SAMS_PHONE, CedarHill, Person
from tests.widget.oak_lane import SECRET_KEY

SITE = Site(public_url="http://testserver.local", secret_key=SECRET_KEY)
ANY_TIME = {"weeks": "4", "days": "any", "part": "any"}


async def offer_to(person: Person, cedar_hill: CedarHill) -> str:
    """Let the worker look at the waitlist; the link that is sent."""
    assert await look_through(cedar_hill.pool, SITE, cedar_hill.practice.practice_id, now=datetime.now(UTC)) == 1
    sent = await cedar_hill.fetchval("SELECT body FROM message WHERE purpose = 'waitlist_offer' ORDER BY position DESC")
    found = re.search(r"http://testserver.local(/waitlist/cedar-hill/\S+)", sent)
    assert found is not None
    return found[1]


@pytest.fixture
async def link(person: Person, cedar_hill: CedarHill) -> str:
    """Return the link to a time that is kept for Sam, who waits."""
    await person.choose()
    await person.wait()
    await person.send(f"{person.flow}/wait", **ANY_TIME)
    return await offer_to(person, cedar_hill)


@pytest.mark.parametrize("times", ["chosen", "linked"])
async def test_who_finds_no_time_joins_the_waitlist_after_proving_who_they_are(
    person: Person, cedar_hill: CedarHill, times: str
) -> None:
    await person.choose()
    if times == "linked":
        wellness = cedar_hill.types["wellness"]
        await person.open(f"{person.start}/times?type={wellness}&species=dog&client=existing")
    assert "None of these suit you?" in person.text
    await person.wait()
    assert person.step == "wait"
    assert await cedar_hill.count("waitlist_entry") == 0
    page = person.path
    await person.send(page, weeks="4", days="never", part="any")
    assert person.answer.status_code == 422
    for _ in range(2):
        await person.send(page, weeks="4", days="weekdays", part="morning")
        assert "You are on the waitlist" in person.text
        assert "(212) 555-0123" in person.text
    row = await cedar_hill.fetchrow("SELECT contact_value, windows::text, until FROM waitlist_entry")
    assert row["contact_value"] == SAMS_PHONE
    assert row["until"] == cedar_hill.today + timedelta(weeks=4)
    assert await cedar_hill.count("waitlist_entry") == 1, "sent twice, they wait once"


async def test_who_waits_can_still_choose_a_time(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    await person.hold()
    await person.open(f"{person.flow}/times")
    await person.wait()
    assert await cedar_hill.count("claim") == 0, "the time that was kept is free again"
    await person.send(person.path, **ANY_TIME)
    await person.open(f"{person.flow}/pet")
    assert person.step == "wait", "there is no time to book yet"
    await person.open(f"{person.flow}/times")
    await person.hold()
    assert person.step == "pet"


async def test_another_visit_is_waited_for_anew(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    await person.wait()
    await person.send(f"{person.flow}/wait", **ANY_TIME)
    await person.send(f"{person.flow}/visit", type=str(cedar_hill.types["recheck"]), reason="")
    assert person.step == "wait"
    await person.send(person.path, **ANY_TIME)
    assert await cedar_hill.fetchval("SELECT count(DISTINCT wish ->> 'appointment_type_id') FROM waitlist_entry") == 2


async def test_a_contact_that_waits_often_is_told_so(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    await person.wait()
    for weeks in ("1", "2", "4", "8"):
        await person.send(f"{person.flow}/wait/begin", provider="")
        await person.send(person.path, **ANY_TIME | {"weeks": weeks})
    assert person.answer.status_code == 422
    assert "cannot join this waitlist more often" in person.text
    assert await cedar_hill.count("waitlist_entry") == 3


async def test_a_kept_time_is_taken_and_booked(person: Person, cedar_hill: CedarHill, link: str) -> None:
    await person.open(link)
    assert "A time came free for you" in person.text
    assert "It is kept for you until" in person.text
    assert SAMS_PHONE[-4:] not in person.text.replace("555-0142", "")
    await person.send(f"{link}/take")
    assert person.step == "who", "the link does not say who they are"
    starts_at = await cedar_hill.fetchval("SELECT starts_at FROM hold")
    await person.prove(SAMS_PHONE)
    await person.pick("Bo")
    await person.send(f"{person.flow}/check")
    assert "See you soon, Bo!" in person.text
    assert await cedar_hill.fetchval("SELECT starts_at FROM appointment") == starts_at
    await person.send(f"{link}/take")
    assert "You have taken this time" in person.text


async def test_who_says_no_keeps_waiting_until_they_leave(person: Person, cedar_hill: CedarHill, link: str) -> None:
    await person.send(f"{link}/decline")
    assert person.path == link
    assert "No time is kept for you right now" in person.text
    assert await cedar_hill.count("claim") == 0
    assert await cedar_hill.fetchval("SELECT state FROM waitlist_entry") == "waiting"
    times = re.search(r'href="([^"]+/times[^"]+)"', person.text)
    assert times is not None
    await person.send(f"{link}/leave")
    assert "You are no longer on the waitlist" in person.text
    await person.open(times[1].replace("&amp;", "&"))
    assert person.times()


async def test_an_offer_that_ran_out_leads_to_all_times(person: Person, cedar_hill: CedarHill, link: str) -> None:
    await cedar_hill.execute("UPDATE waitlist_offer SET expires_at = now() - interval '1 minute'")
    for path in (link, f"{link}/take", f"{link}/decline"):
        await (person.open(path) if path == link else person.send(path))
        assert "No time is kept for you right now" in person.text
        assert "See all times" in person.text


async def test_a_link_that_is_nobodys_is_told_in_plain_words(person: Person, link: str) -> None:
    for token in ("x", link.rsplit("/", 1)[-1][:-1], "wo_AAAAAAAAAAAAAAAAAAAAAA_x"):
        await person.open(f"/waitlist/cedar-hill/{token}")
        assert person.answer.status_code == 404
        assert "This link does not work any more" in person.text
        assert f'href="{person.start}"' in person.text
        for what in ("take", "decline", "leave"):
            await person.send(f"/waitlist/cedar-hill/{token}/{what}")
            assert person.answer.status_code == 404
