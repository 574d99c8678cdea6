"""The page of a booked visit, for whoever has its link: they say that they come, move it or cancel it."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from booking.holds import hold
from tests.widget.cedar_hill import CedarHill, Person


def can(person: Person) -> set[str]:
    """Return what the page lets them do."""
    return {what for what in ("confirm", "move", "cancel") if f'"{person.path}/{what}"' in person.text}


async def newest_message(cedar_hill: CedarHill) -> str:
    return str(await cedar_hill.fetchval("SELECT body FROM message ORDER BY position DESC LIMIT 1"))


async def test_the_message_and_the_calendar_lead_to_the_page_where_a_visit_is_changed(
    person: Person, cedar_hill: CedarHill
) -> None:
    await person.sam_books()
    link = f"To change it: http://testserver.local{person.path}"
    assert link in await newest_message(cedar_hill)
    file = (await person.browser.get(f"{person.path}/visit.ics")).text.replace("\r\n ", "")
    assert link in file.replace("\\", "")
    await person.open(person.path)
    assert can(person) == {"confirm", "move", "cancel"}


async def test_a_client_says_that_they_come(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    await person.send(f"{page}/confirm")
    assert person.path == page
    assert "Thank you for telling us that you come." in person.text
    assert can(person) == {"move", "cancel"}
    assert await cedar_hill.fetchval("SELECT status FROM appointment") == "confirmed"


async def test_a_client_moves_their_visit_and_keeps_its_reference(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    before = await cedar_hill.fetchrow("SELECT reference, starts_at FROM appointment")
    await person.open(f"{page}/move")
    assert "now on" in person.text
    await person.send(person.path, start="")
    assert person.answer.status_code == 422
    assert "Please choose a time." in person.text
    chosen = person.times()[-1]
    await person.send(f"{page}/move", start=chosen)
    assert person.path == page
    assert "Your visit has a new time" in person.text
    assert 'data-event="rescheduled"' in person.text
    assert before["reference"] in person.text
    after = await cedar_hill.fetchrow("SELECT reference, starts_at FROM appointment")
    assert after["reference"] == before["reference"]
    assert after["starts_at"] == datetime.fromisoformat(chosen) != before["starts_at"]
    assert "has a new time" in await newest_message(cedar_hill)


async def test_a_new_time_that_was_lost_leaves_the_visit_where_it_is(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    before = await cedar_hill.fetchval("SELECT starts_at FROM appointment")
    await person.open(f"{page}/move")
    chosen = person.times()[-1]
    taken = datetime.fromisoformat(chosen)
    await hold(cedar_hill.pool, cedar_hill.practice, cedar_hill.wish(), taken, now=datetime.now(UTC))
    await person.send(f"{page}/move", start=chosen)
    assert person.answer.status_code == 409
    assert "somebody was a little faster" in person.text
    assert chosen not in person.times()
    assert await cedar_hill.fetchval("SELECT starts_at FROM appointment") == before


async def test_a_client_cancels_after_being_asked_once(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    await person.open(f"{page}/cancel")
    assert "Cancel this visit?" in person.text
    assert await cedar_hill.fetchval("SELECT status FROM appointment") == "booked", "looking changes nothing"
    await person.send(person.path)
    assert person.path == page
    assert "This visit is cancelled" in person.text
    assert 'data-event="cancelled"' in person.text
    assert not can(person)
    assert f'href="{person.start}"' in person.text
    assert await cedar_hill.count("claim") == 0
    assert "http://testserver.local/book/cedar-hill" in await newest_message(cedar_hill)
    await person.send(f"{page}/cancel")
    assert "This visit is cancelled" in person.text


@pytest.mark.parametrize(
    ("setting", "left", "words"),
    [
        ("cancel_window = '30 days', reschedule_window = '30 days'", {"confirm"}, "To change or cancel this visit now"),
        ("cancel_window = '30 days'", {"confirm", "move"}, "To cancel this visit now"),
        ("max_reschedules = 0", {"confirm", "cancel"}, "To move this visit"),
    ],
)
async def test_what_the_practice_does_not_let_clients_do_is_for_the_phone(
    person: Person, cedar_hill: CedarHill, setting: str, left: set[str], words: str
) -> None:
    page = (await person.sam_books()).path
    await person.open(f"{page}/move")
    start = person.times()[-1]
    await cedar_hill.execute(f"UPDATE practice SET {setting}")
    await person.open(page)
    assert can(person) == left
    assert f'{words}, please call <a href="tel:2125550142">' in person.text
    for gone in {"move", "cancel"} - left:
        await person.open(f"{page}/{gone}")
        assert person.path == page
        await person.send(f"{page}/{gone}", start=start)
        assert person.answer.status_code == 409
        assert "Please call us for this" in person.text
        assert 'href="tel:2125550142"' in person.text
    assert await cedar_hill.fetchval("SELECT status FROM appointment") == "booked"


async def test_a_visit_that_is_over_is_shown_and_not_changed(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    await cedar_hill.execute("UPDATE appointment SET starts_at = now() - interval '2 days', ends_at = now()")
    await person.open(page)
    assert not can(person)
    assert "Something came up?" not in person.text
    await person.send(f"{page}/confirm")
    assert person.answer.status_code == 409


async def test_a_visit_whose_type_is_no_longer_offered_is_moved_by_phone(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    await cedar_hill.execute("UPDATE appointment_type SET bookable_online = false")
    await cedar_hill.execute("UPDATE practice SET schedule_version = schedule_version + 1")
    await person.open(f"{page}/move")
    assert person.answer.status_code == 409
    assert "cannot be moved online any more" in person.text


async def test_nobody_changes_a_visit_without_its_link(person: Person, cedar_hill: CedarHill) -> None:
    page = (await person.sam_books()).path
    for token in ("x", urlsplit(page).path[:-1].rsplit("/", 1)[-1]):
        for what in ("confirm", "move", "cancel"):
            await person.send(f"/visit/cedar-hill/{token}/{what}", start="2026-01-01T10:00:00+00:00")
            assert person.answer.status_code == 404
    assert await cedar_hill.fetchval("SELECT status FROM appointment") == "booked"
