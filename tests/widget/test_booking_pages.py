"""The booking pages, walked over HTTP without scripts: from the first page to the appointment."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from booking.db import connections, mirror
from booking.db.connections import Connection
from booking.db.pool import Pool, across_practices
from booking.holds import Held, hold
from pims_adapters import contract as pims
from tests.widget.cedar_hill import SAMS_PHONE, STRANGERS_PHONE, CedarHill, Person, open_cedar_hill


async def test_a_known_client_books_for_their_pet(person: Person, cedar_hill: CedarHill) -> None:
    await person.open(f"{person.start}?species=dog&client=existing")
    assert "Wellness exam" in person.text
    assert "First visit" not in person.text, "it is for new clients"
    await person.choose(reason="Limps a little")
    assert person.step == "times"
    await person.hold()
    assert person.step == "who"
    await person.prove(SAMS_PHONE)
    assert person.step == "pet"
    assert "Hello Sam!" in person.text
    assert "Rex" not in person.text, "a deceased patient is not shown"
    await person.pick("Bo")
    assert person.step == "check"
    assert all(words in person.text for words in ("Bo", "Limps a little", "Sam Field", "(212) 555-0123"))

    await person.send(f"{person.flow}/check")
    assert person.path.startswith("/visit/cedar-hill/")
    row = await cedar_hill.fetchrow("SELECT * FROM appointment")
    assert row is not None
    assert row["patient_id"] == cedar_hill.pets["Bo"]
    assert not row["new_client"]
    assert row["reason"] == "Limps a little"
    assert row["reference"] in person.text
    assert "Your visit stands in the practice’s schedule." in person.text

    file = await person.browser.get(f"{person.path}/visit.ics")
    assert file.headers["content-type"].startswith("text/calendar")
    assert "BEGIN:VEVENT" in file.text
    assert "Wellness" not in file.text, "the title gives nothing away"


async def test_a_newcomer_books_with_their_details(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose("first", client="new")
    await person.hold()
    await person.prove("noor@example.com")
    assert person.step == "details"
    await person.introduce(other_contact="(212) 555-0177", breed="Beagle", birth_date="2024-02-29")
    assert person.step == "check"
    await person.send(f"{person.flow}/check")
    assert "See you soon, Zuzu!" in person.text
    row = await cedar_hill.fetchrow(
        "SELECT a.new_client, c.given_name, p.breed FROM appointment a JOIN client c USING (practice_id, client_id)"
        " JOIN patient p USING (practice_id, patient_id)"
    )
    assert row is not None
    assert tuple(row) == (True, "Noor", "Beagle")
    assert await cedar_hill.fetchval("SELECT count(*) FROM client_contact WHERE value = '+12125550177'") == 1


async def test_a_known_client_books_for_a_pet_the_practice_does_not_know(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    await person.hold()
    await person.prove(SAMS_PHONE)
    await person.send(f"{person.flow}/pet", pet=f"{cedar_hill.sam}/new")
    assert person.step == "details"
    assert "First name" not in person.text
    await person.send(f"{person.path}?client={cedar_hill.sam}", pet_name="Pip", species="cat", sex="female")
    await person.send(f"{person.flow}/check")
    assert "See you soon, Pip!" in person.text
    assert await cedar_hill.fetchval("SELECT client_id FROM patient WHERE name = 'Pip'") == cedar_hill.sam


async def test_a_pet_that_does_not_fit_the_visit_is_explained_and_cannot_be_chosen(person: Person) -> None:
    await person.choose()
    await person.hold()
    await person.prove(SAMS_PHONE)
    assert "Wellness exam is not for rabbits." in person.text
    await person.pick("Hops")
    assert person.answer.status_code == 422


async def test_somebody_elses_pet_cannot_be_chosen(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    await person.hold()
    await person.prove(STRANGERS_PHONE)
    await person.send(f"{person.flow}/pet", pet=f"{cedar_hill.sam}/{cedar_hill.pets['Bo']}")
    assert person.answer.status_code == 422
    await person.open(f"{person.flow}/check")
    assert person.step == "details"


async def test_a_practice_for_its_own_clients_sends_newcomers_to_the_request_form(
    person: Person, cedar_hill: CedarHill
) -> None:
    await cedar_hill.set_who_may_book("existing_clients")
    await person.open(f"{person.start}?species=dog&client=new")
    assert person.path == f"{person.start}/request"
    assert "takes online bookings from people who know us already" in person.text


@pytest.mark.parametrize("pims_id", ["wellness", "recheck"])
async def test_a_stranger_where_only_clients_may_book_asks_with_what_is_entered(
    person: Person, cedar_hill: CedarHill, pims_id: str
) -> None:
    if pims_id == "wellness":
        await cedar_hill.set_who_may_book("existing_clients")
    await person.choose(pims_id, reason="Limps a little")
    await person.hold()
    await person.prove(STRANGERS_PHONE)
    assert person.step == "request"
    assert all(words in person.text for words in ("could not find a record", STRANGERS_PHONE, "Limps a little"))
    await person.send(person.path, name="Noor", contact=STRANGERS_PHONE, pet_name="Zuzu", species="dog", type="")
    assert person.path == f"{person.start}/request/sent"
    assert await cedar_hill.count("appointment_request") == 1
    assert await cedar_hill.count("claim") == 0, "the time that was kept is free again"


async def test_a_visit_for_newcomers_offers_clients_the_others(person: Person) -> None:
    await person.choose("first", client="new")
    await person.hold()
    await person.prove(SAMS_PHONE)
    assert "We have met!" in person.text
    await person.open(f"{person.flow}/visit")
    assert "Recheck" in person.text
    assert "First visit" not in person.text


async def test_a_visit_that_is_called_back_for_shows_no_times(person: Person) -> None:
    await person.choose("goodbye")
    assert person.step == "request"
    assert "We are here for you" in person.text
    assert not person.times()
    await person.send(
        person.path,
        name="Sam",
        contact=SAMS_PHONE,
        pet_name="Bo",
        species="dog",
        type=str(person.cedar_hill.types["goodbye"]),
    )
    assert "We will call you" in person.text


async def test_known_and_unknown_contacts_see_the_same_page(person: Person) -> None:
    pages = []
    for contact in (SAMS_PHONE, STRANGERS_PHONE):
        await person.choose()
        await person.hold()
        await person.send(f"{person.flow}/who", contact=contact)
        shown = person.text.replace(person.flow, "").replace(contact[-4:], "")
        pages.append((person.answer.status_code, re.sub(r"\d+:\d\d|kept-seconds=\"\d+\"", "", shown)))
    assert pages[0] == pages[1]


async def test_a_wrong_code_says_how_many_tries_are_left_and_the_fifth_ends_it(
    person: Person, cedar_hill: CedarHill
) -> None:
    await person.choose()
    await person.hold()
    await person.send(f"{person.flow}/who", contact=SAMS_PHONE)
    right = await cedar_hill.code()
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for left in ("4 more tries", "3 more tries", "2 more tries", "one more try", "the last try"):
        await person.send(f"{person.flow}/code", code=wrong)
        assert person.answer.status_code == 422
        assert left in person.text
    await person.send(f"{person.flow}/code", code=right)
    assert "no longer works" in person.text
    await person.send(f"{person.flow}/code/again")
    assert "A new code is on its way" in person.text
    await person.send(f"{person.flow}/code", code=f" {(await cedar_hill.code())[:3]}-{(await cedar_hill.code())[3:]} ")
    assert person.step == "pet", "a code may be pasted with a dash or spaces in it"


async def test_codes_cannot_be_asked_for_without_end(person: Person) -> None:
    await person.choose()
    await person.hold()
    for _ in range(3):
        await person.send(f"{person.flow}/who", contact=SAMS_PHONE)
    await person.open(f"{person.flow}/who")
    await person.send(person.path, contact=SAMS_PHONE)
    assert person.answer.status_code == 429
    assert "We sent several codes there already" in person.text


async def test_proving_a_contact_gives_the_flow_a_new_address_and_ends_the_old_one(person: Person) -> None:
    """Somebody who handed out the address of their own flow must not see whose pets appear in it (session fixation)."""
    await person.choose()
    await person.hold()
    before = person.flow
    await person.prove(SAMS_PHONE)
    assert person.flow != before
    assert "Bo" in person.text
    for step in ("pet", "check", "who", "code", "times", "visit", "request", "details"):
        answer = await person.browser.get(f"{before}/{step}", follow_redirects=True)
        assert answer.status_code == 410
        assert "Sam" not in answer.text


async def test_booking_twice_at_once_books_once(person: Person, cedar_hill: CedarHill) -> None:
    await person.sam_at_check()
    path = f"{person.flow}/check"
    answers = await asyncio.gather(*(person.browser.post(path) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"].partition("?")[0] for answer in answers}) == 1
    assert await cedar_hill.count("appointment") == 1
    await person.open(path)
    assert person.path.startswith("/visit/"), "going back leads to what was booked"


async def test_a_lost_time_offers_others_and_loses_nothing_else(person: Person, cedar_hill: CedarHill) -> None:
    await person.sam_at_check()
    await cedar_hill.expire_holds()
    starts_at = await cedar_hill.fetchval("SELECT starts_at FROM hold")
    now = datetime.now(UTC)
    taken = await hold(cedar_hill.pool, cedar_hill.practice, cedar_hill.wish(), starts_at, now=now)
    assert isinstance(taken, Held)

    await person.send(f"{person.flow}/check")
    assert person.step == "taken"
    assert "somebody was a little faster" in person.text
    assert starts_at.isoformat() not in person.times()
    await person.hold(0)
    assert person.step == "check"
    assert all(words in person.text for words in ("Bo", "Limps a little", "Sam Field"))
    await person.send(f"{person.flow}/check")
    assert "See you soon, Bo!" in person.text


async def test_a_time_that_is_taken_between_list_and_hold_offers_others(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    starts_at = datetime.fromisoformat(person.times()[-1])
    await hold(cedar_hill.pool, cedar_hill.practice, cedar_hill.wish(), starts_at, now=datetime.now(UTC))
    await person.hold()
    assert person.step == "taken"


async def test_an_expired_hold_still_books_while_nobody_has_the_time(person: Person, cedar_hill: CedarHill) -> None:
    await person.sam_at_check()
    await cedar_hill.expire_holds()
    await person.open(f"{person.flow}/check")
    assert "No longer kept, but you can go on" in person.text
    await person.send(f"{person.flow}/check")
    assert "See you soon, Bo!" in person.text


async def test_a_hold_is_extended_once(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    await person.hold()
    before = await cedar_hill.fetchval("SELECT expires_at FROM hold")
    await person.send(f"{person.flow}/extend?back=who")
    assert person.step == "who"
    assert await cedar_hill.fetchval("SELECT expires_at FROM hold") > before
    assert "I need more time" not in person.text


async def test_choosing_another_time_frees_the_first(person: Person, cedar_hill: CedarHill) -> None:
    await person.sam_at_check()
    await person.open(f"{person.flow}/times")
    first = await cedar_hill.fetchval("SELECT starts_at FROM hold")
    await person.hold(-2)
    assert person.step == "check"
    assert await cedar_hill.count("hold") == 1
    assert await cedar_hill.fetchval("SELECT starts_at FROM hold") != first


async def test_another_visit_keeps_everything_but_the_time(person: Person) -> None:
    await person.sam_at_check()
    recheck = str(person.cedar_hill.types["recheck"])
    await person.send(f"{person.flow}/visit", type=recheck, reason="Better already")
    assert person.step == "times"
    await person.hold()
    assert person.step == "check"
    assert all(words in person.text for words in ("Recheck", "Better already", "Bo"))


async def test_a_flow_belongs_to_its_practice(person: Person, pool: Pool) -> None:
    await open_cedar_hill(pool, "elm-road")
    await person.choose()
    answer = await person.browser.get(person.path.replace("cedar-hill", "elm-road"))
    assert answer.status_code == 410


async def test_a_forgotten_flow_says_that_nothing_was_booked(person: Person, redis: Redis) -> None:
    await person.sam_at_check()
    await redis.flushall()
    await person.send(f"{person.flow}/check")
    assert person.answer.status_code == 410
    assert "nothing was booked" in person.text


async def test_no_times_is_a_page_that_leads_on(person: Person, cedar_hill: CedarHill) -> None:
    closed = pims.Closure(pims_id="closed", name="", first=cedar_hill.today, last=cedar_hill.today + timedelta(days=20))
    async with across_practices(cedar_hill.pool) as conn:
        await mirror.put_closure(conn, cedar_hill.practice.practice_id, uuid4(), closed)
    await person.choose()
    assert "No times from" in person.text
    next_day = cedar_hill.today + timedelta(days=21)
    link = re.search(r'href="([^"]+from=' + next_day.isoformat() + ')"', person.text)
    assert link is not None
    await person.open(link[1].replace("&amp;", "&"))
    assert person.times()


async def test_an_old_picture_of_the_schedule_is_admitted(person: Person, cedar_hill: CedarHill) -> None:
    connection = Connection(
        practice_id=cedar_hill.practice.practice_id,
        connection_id=uuid4(),
        adapter="demo",
        settings={},
        status="live",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    async with across_practices(cedar_hill.pool) as conn:
        await connections.put_connection(conn, connection)
    await person.choose()
    assert "Times in the next days are missing here." in person.text
    assert "Ask us for a time" in person.text
    assert person.times(), "later times are shown"


async def test_a_provider_can_be_chosen(person: Person, cedar_hill: CedarHill) -> None:
    await person.choose()
    lin = await cedar_hill.fetchval("SELECT resource_id FROM resource WHERE name = 'Dr. Lin Wu'")
    await person.open(f"{person.path}?provider={lin}")
    assert "Dr. Ada Okoye</small>" not in person.text
    await person.send(person.path, start=person.times()[0], provider=str(lin))
    assert str(lin) in await cedar_hill.fetchval("SELECT resources::text FROM hold")


async def test_a_link_to_a_visit_leads_straight_to_its_times(person: Person, cedar_hill: CedarHill) -> None:
    wellness = cedar_hill.types["wellness"]
    await person.open(f"{person.start}/times?type={wellness}&species=dog&client=existing&source=website")
    assert person.path == f"{person.start}/times"
    fields = {"type": str(wellness), "species": "dog", "client": "existing", "source": "website"}
    await person.send(person.path, start=person.times()[0], **fields)
    assert person.step == "who"
    await person.open(f"{person.start}/times?type={wellness}")
    assert person.path == person.start, "what the link does not say is asked"


async def test_a_type_that_is_not_for_this_pet_is_refused_in_words(person: Person, cedar_hill: CedarHill) -> None:
    wellness = cedar_hill.types["wellness"]
    await person.open(f"{person.start}/times?type={wellness}&species=lion&client=existing")
    assert person.answer.status_code == 422
    assert "cannot be booked online like this" in person.text
