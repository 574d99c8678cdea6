"""What a practice asks before a visit is asked on a page, and kept with the booking."""

from __future__ import annotations

import pytest

from tests.widget.cedar_hill import SAMS_PHONE, CedarHill, Person


async def test_questions_are_asked_after_the_pet_and_their_answers_are_booked(
    person: Person, cedar_hill: CedarHill
) -> None:
    food = await cedar_hill.ask("What does your pet eat?", "choice")
    bites = await cedar_hill.ask("Has your pet ever bitten?", "yes_no")
    since = await cedar_hill.ask("Since when?", "date", required=False)
    await cedar_hill.ask("How did you hear of us?", who="new")
    await person.sam_at_check()
    assert person.step == "questions"
    assert "What does your pet eat?" in person.text
    assert "hear of us" not in person.text, "that is for new clients"

    await person.send(person.path, **{f"answer-{food}": "Wet food", f"answer-{since}": "yesterday"})
    assert person.answer.status_code == 422
    assert f'id="answer-{bites}-error">Please answer this question.' in person.text
    assert f'<a href="#answer-{bites}">Has your pet ever bitten? Please answer this question.</a>' in person.text
    assert f'id="answer-{since}-error">Please enter a date.' in person.text
    assert 'value="Wet food" checked' in person.text, "what was answered stays"
    await person.send(person.path, **{f"answer-{food}": "Wet food", f"answer-{bites}": "no", f"answer-{since}": ""})
    assert person.step == "check"
    assert all(words in person.text for words in ("What does your pet eat?", "Wet food", "No answer"))

    await person.open(f"{person.flow}/questions")
    assert 'value="Wet food" checked' in person.text
    await person.send(f"{person.flow}/check")
    assert "See you soon, Bo!" in person.text
    row = await cedar_hill.fetchrow("SELECT answers::text, description FROM appointment")
    assert "Wet food" in row["answers"]
    assert row["description"].endswith("What does your pet eat? Wet food | Has your pet ever bitten? no")


async def test_an_optional_question_is_asked_once_and_may_stay_without_an_answer(
    person: Person, cedar_hill: CedarHill
) -> None:
    await cedar_hill.ask("Anything that frightens them?", required=False)
    await person.sam_at_check()
    assert person.step == "questions"
    assert "One more question" in person.text
    await person.send(person.path, anything="")
    assert person.step == "check"
    await person.send(f"{person.flow}/check")
    assert "See you soon, Bo!" in person.text


async def test_a_question_that_is_new_meanwhile_is_asked_before_it_is_booked(
    person: Person, cedar_hill: CedarHill
) -> None:
    await person.sam_at_check()
    question = await cedar_hill.ask("Weight", "number")
    await person.send(f"{person.flow}/check")
    assert person.step == "questions"
    assert await cedar_hill.count("appointment") == 0
    await person.send(person.path, **{f"answer-{question}": "12.5"})
    await person.send(f"{person.flow}/check")
    assert "See you soon, Bo!" in person.text


async def test_who_is_asked_nothing_sees_no_such_step(person: Person) -> None:
    await person.sam_at_check()
    assert person.step == "check"
    await person.open(f"{person.flow}/questions")
    assert person.step == "check"


async def test_questions_come_after_the_pet(person: Person, cedar_hill: CedarHill) -> None:
    await cedar_hill.ask("Weight", "number")
    await person.choose()
    await person.hold()
    await person.prove(SAMS_PHONE)
    await person.open(f"{person.flow}/questions")
    assert person.step == "pet"


@pytest.mark.parametrize("where", ["reason", "answer"])
async def test_who_describes_an_emergency_is_sent_to_the_phone(
    person: Person, cedar_hill: CedarHill, where: str
) -> None:
    if where == "reason":
        await person.choose(reason="He had a seizure")
    else:
        question = await cedar_hill.ask("What is it about?")
        await person.sam_at_check()
        await person.send(person.path, **{f"answer-{question}": "Hit by a car"})
    assert person.answer.status_code == 422
    assert "This sounds urgent" in person.text
    assert 'href="tel:2125550142"' in person.text
    assert "In an emergency call (212) 555-0143." in person.text


async def test_a_refusal_says_what_to_do_and_not_whether_somebody_is_blocked(
    person: Person, cedar_hill: CedarHill
) -> None:
    await cedar_hill.execute(
        "INSERT INTO blocked_contact (practice_id, kind, value, created_at)"
        f" SELECT practice_id, 'phone', '{SAMS_PHONE}', now() FROM practice"
    )
    await person.sam_at_check()
    assert person.step == "check", "until the last step nothing is different"
    path = person.flow
    await person.send(f"{path}/check")
    assert person.answer.status_code == 422
    assert "This cannot be booked online. Please call the practice." in person.text
    assert "block" not in person.text.lower().replace("block-", "")
    assert 'href="tel:2125550142"' in person.text
    assert f'href="{path}/request"' in person.text
    await person.open(f"{path}/request")
    assert person.answer.status_code == 200


async def test_a_pet_that_has_too_many_visits_is_for_the_phone(person: Person, cedar_hill: CedarHill) -> None:
    await cedar_hill.execute("UPDATE practice SET open_bookings_per_patient = 0")
    await person.sam_at_check()
    await person.send(f"{person.flow}/check")
    assert "has appointments booked online already" in person.text
    assert "Call (212) 555-0142" in person.text


async def test_a_pet_that_can_no_longer_be_booked_can_be_replaced(person: Person, cedar_hill: CedarHill) -> None:
    await person.sam_at_check()
    await cedar_hill.execute("UPDATE patient SET status = 'inactive' WHERE name = 'Bo'")
    await person.send(f"{person.flow}/check")
    assert person.step == "pet"
    assert "This pet cannot be booked online." in person.text
    await person.pick("Mia")
    assert person.step == "check"
