"""Whose field it is: what the practice changes in its PIMS, and what is ours alone. A test for each row of the table.

The table stands in docs/sync.md.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from booking.db import patient_care
from booking.db.pool import Pool, across_practices
from booking.local_days import local_date
from pims_adapters import contract as pims
from tests.booking.api.elm_corner import ZONE
from tests.booking.two_sides import MINUTE, TwoSides, open_two_sides


@pytest.fixture
async def sides(pool: Pool) -> TwoSides:
    return await open_two_sides(pool)


@pytest.fixture
async def booked(sides: TwoSides) -> TwoSides:
    """Return both sides with one booking of ours that stands in the PIMS and was read from there."""
    await sides.book()
    await sides.deliver()
    await sides.sync()
    return sides


async def test_names_and_contacts_are_the_pimss_once_written(sides: TwoSides) -> None:
    sides.there.put(
        pims.Client(pims_id="sam", given_name="Samuel", family_name="Field", phones=("(602) 555-0123",), emails=())
    )
    await sides.sync()
    (row,) = await sides.rows("SELECT client_id, given_name FROM client WHERE pims_id = 'sam'")
    contacts = await sides.rows("SELECT kind, value FROM client_contact WHERE client_id = $1", row["client_id"])
    assert row["given_name"] == "Samuel"
    assert [tuple(one) for one in contacts] == [("phone", "+16025550123")]


async def test_signalment_is_the_pimss(sides: TwoSides) -> None:
    sides.there.put(pims.Patient(pims_id="bo", client="sam", name="Bo", species="dog", breed="Boxer", sex="male"))
    await sides.sync()
    (row,) = await sides.rows("SELECT breed, sex FROM patient WHERE pims_id = 'bo'")
    assert tuple(row) == ("Boxer", "male")


async def test_a_patient_that_a_nightly_feed_marks_deceased_or_inactive_is_so_with_us(sides: TwoSides) -> None:
    for status in ("deceased", "inactive", "active"):
        sides.there.put(msgspec.structs.replace(sides.there.get("patient", "bo"), status=status))
        await sides.sync()
        assert [one["status"] for one in await sides.rows("SELECT status FROM patient")] == [status]


async def test_time_is_whose_who_changed_it_last(booked: TwoSides) -> None:
    (reference,) = booked.references
    before = await booked.written(reference)
    await booked.change(reference, "move", 5)
    moved = (await booked.ours(reference))["starts_at"]
    booked.there.forget_log()  # the PIMS repeats the old time
    await booked.sync()
    assert (await booked.ours(reference))["starts_at"] == moved != before.start
    booked.staff_change(before.pims_id, start=booked.at(1, 120), end=booked.at(1, 150))
    await booked.sync()
    assert (await booked.ours(reference))["starts_at"] == booked.at(1, 120)


async def test_status_and_time_are_merged_each_on_its_own(booked: TwoSides) -> None:
    """Let the client move the visit while staff confirm it: it is confirmed, at the new time."""
    (reference,) = booked.references
    shown = await booked.written(reference)
    await booked.change(reference, "move", 5)
    moved = (await booked.ours(reference))["starts_at"]
    booked.staff_change(shown.pims_id, status="confirmed")
    await booked.sync()
    ours = await booked.ours(reference)
    assert (ours["status"], ours["starts_at"]) == ("confirmed", moved)
    await booked.deliver()
    there = await booked.written(reference)
    assert (there.status, there.start) == ("confirmed", moved)


async def test_a_status_that_nobody_knows_leaves_the_time_taken(sides: TwoSides) -> None:
    pims_id = sides.staff_book(0, 0, "ada", status="triaged")
    await sides.sync()
    row = await sides.theirs(pims_id)
    assert row is not None
    assert (row["status"], row["takes"]) == ("booked", ["ada"])


async def test_words_of_ours_that_the_pims_cuts_short_stay_whole_with_us(booked: TwoSides) -> None:
    (reference,) = booked.references
    whole = (await booked.ours(reference))["description"]
    shown = await booked.written(reference)
    booked.there.put(msgspec.structs.replace(shown, description=shown.description[:10]))
    await booked.sync()
    booked.there.forget_log()
    await booked.sync()
    assert (await booked.ours(reference))["description"] == whole[:10]  # news: staff may have written it
    other = await booked.book(nth=9)
    await booked.deliver()  # read back as it was cut
    ours = await booked.ours(other)
    await booked.rows(
        "UPDATE appointment SET pims_said = jsonb_set(pims_said, '{description}', '\"cut\"') WHERE reference = $1",
        other,
    )
    booked.there.put(msgspec.structs.replace(await booked.written(other), description="cut"))
    await booked.sync()
    assert (await booked.ours(other))["description"] == ours["description"]


async def test_type_client_and_patient_follow_the_pims(booked: TwoSides) -> None:
    (reference,) = booked.references
    booked.there.put(
        pims.Client(pims_id="kim", given_name="Kim", family_name="Field"),
        pims.Patient(pims_id="mo", client="kim", name="Mo", species="cat"),
    )
    shown = await booked.written(reference)
    booked.staff_change(shown.pims_id, client="kim", patient="mo", appointment_type="dental")
    await booked.sync()
    (row,) = await booked.rows(
        """SELECT c.pims_id AS client, p.pims_id AS patient, t.pims_id AS type FROM appointment a
           JOIN client c USING (practice_id, client_id) JOIN patient p USING (practice_id, patient_id)
           JOIN appointment_type t USING (practice_id, appointment_type_id) WHERE reference = $1""",
        reference,
    )
    assert tuple(row) == ("kim", "mo", "dental")


async def test_what_is_ours_alone_is_never_touched(booked: TwoSides) -> None:
    (reference,) = booked.references
    query = """SELECT (SELECT array_agg(roles ORDER BY name) FROM resource)::text,
                 (SELECT array_agg((bookable_online, steps, notice) ORDER BY name) FROM appointment_type)::text,
                 (SELECT array_agg((reason, answers, contact, source, manage_token_hash)) FROM appointment
                  WHERE reference = $1)::text"""
    before = await booked.rows(query, reference)
    for one in booked.there.of("resource"):
        booked.there.put(msgspec.structs.replace(one, name=one.name.upper()))
    for one in booked.there.of("appointmenttype"):
        booked.there.put(msgspec.structs.replace(one, name=one.name.upper()))
    booked.staff_change((await booked.written(reference)).pims_id, status="confirmed", description="Changed there")
    await booked.sync()
    assert [one["name"] for one in await booked.rows("SELECT name FROM resource WHERE pims_id = 'ada'")] == ["ADA"]
    after = await booked.rows(query, reference)
    assert [tuple(one)[1:] for one in after] == [tuple(one)[1:] for one in before]


async def test_a_claim_on_a_resource_without_a_column_outlives_what_the_pims_repeats(sides: TwoSides) -> None:
    """The PIMS has no column for the kennel: it cannot have taken the kennel away."""
    reference = await sides.book("boarding")
    await sides.deliver()
    for _ in range(2):
        sides.there.forget_log()
        await sides.sync()
        assert (await sides.ours(reference))["takes"] == ["kennel"]
    shown = await sides.written(reference)
    sides.staff_change(shown.pims_id, start=sides.at(1, 60), end=sides.at(1, 120), resources=("ada",))
    await sides.sync()
    ours = await sides.ours(reference)
    assert (ours["takes"], ours["starts_at"]) == (["ada", "kennel"], sides.at(1, 60))


async def test_a_pims_that_holds_one_column_of_several_takes_none_of_ours_away(sides: TwoSides) -> None:
    reference = await sides.book()
    takes = (await sides.ours(reference))["takes"]
    vet = next(one for one in takes if one != "room")
    await sides.deliver()
    pims_id = (await sides.written(reference)).pims_id
    sides.there.put(msgspec.structs.replace(sides.there.get("appointment", pims_id), resources=(vet,)))
    await sides.rows("UPDATE appointment SET pims_said = NULL WHERE reference = $1", reference)  # not read back yet
    await sides.sync()
    assert (await sides.ours(reference))["takes"] == takes
    sides.staff_change(pims_id, start=sides.at(1, 90), end=sides.at(1, 120))
    await sides.sync()
    ours = await sides.ours(reference)
    assert (ours["takes"], ours["starts_at"]) == (takes, sides.at(1, 90))


async def test_rules_of_the_pims_are_obeyed_and_are_its_own(sides: TwoSides) -> None:
    before = await sides.free()
    starts = (sides.at(0, 0) - timedelta(hours=7)).replace(tzinfo=None)
    when = (pims.RecurringTime(starts=starts, duration=timedelta(hours=3)),)
    rule = pims.PlanningRule(
        pims_id="r1", name="Surgery morning", effect="deny", when=when, appointment_types=("exam",)
    )
    sides.there.put(rule)
    await sides.sync()
    assert await sides.free() == [one for one in before if one >= sides.at(1, 0)] != before
    sides.there.put(msgspec.structs.replace(rule, appointment_types=("not told of yet",)))
    await sides.sync()
    assert await sides.free() == before
    sides.there.delete("planningrule", "r1")
    await sides.sync()
    assert await sides.rows("SELECT 1 FROM rule") == []


async def test_times_that_cannot_be_read_stop_no_answer(sides: TwoSides) -> None:
    starts = (sides.at(0, 0) - timedelta(hours=7)).replace(tzinfo=None)
    bad = pims.RecurringTime(starts=starts, duration=timedelta(hours=1), rrule="FREQ=FORTNIGHTLY")
    sides.there.put(
        pims.PlanningRule(pims_id="r1", name="?", effect="deny", when=(bad,)),
        pims.BlockOff(pims_id="b1", resource="ada", time=bad),
    )
    await sides.sync()
    assert await sides.free()
    assert sorted(one.kind for one in await sides.tasks()) == ["unreadable", "unreadable"]


async def test_vaccines_and_reminders_are_told_of_a_patient(sides: TwoSides) -> None:
    today = local_date(sides.now, ZONE)
    day = timedelta(days=1)
    sides.there.put(
        pims.Vaccination(pims_id="v1", patient="bo", name="Rabies", given=today - 900 * day, due=today - 500 * day),
        pims.Vaccination(pims_id="v2", patient="bo", name="Rabies", given=today - 90 * day, due=today + 900 * day),
        pims.Vaccination(pims_id="v3", patient="bo", name="Bordetella", given=today - 400 * day, due=today - day),
        pims.Reminder(pims_id="r1", patient="bo", name="Bordetella", due=today - day),
        pims.Reminder(pims_id="r2", patient="bo", name="Dental", due=today + 100 * day, appointment_type="dental"),
        pims.Reminder(pims_id="r3", patient="bo", name="Next year", due=today + 300 * day),
        pims.Reminder(pims_id="r4", patient="bo", name="Done", due=today, done=True),
    )
    await sides.sync()
    practice_id = sides.elm.practice.practice_id
    async with across_practices(sides.pool) as conn:
        vaccines = await patient_care.current_vaccines(conn, practice_id, sides.elm.bo, today)
        due = await patient_care.reminders(conn, practice_id, sides.elm.bo, today)
    assert [(one.name, one.due) for one in vaccines] == [("Rabies", today + 900 * day)]
    assert [(one.name, one.overdue, one.appointment_type_id) for one in due] == [
        ("Bordetella", True, None),
        ("Dental", False, sides.elm.types["dental"]),
    ]


async def test_joined_clients_and_patients_are_one_with_all_that_was_theirs(booked: TwoSides) -> None:
    (reference,) = booked.references
    booked.there.put(
        pims.Client(pims_id="sam2", given_name="Sam", family_name="Field", phones=("602 555 0199",)),
        pims.Patient(pims_id="bo2", client="sam2", name="Bo", species="dog"),
        pims.Vaccination(pims_id="v1", patient="bo", name="Rabies", given=local_date(booked.now, ZONE)),
    )
    await booked.sync()
    booked.there.merge("client", "sam", "sam2")
    booked.there.merge("patient", "bo", "bo2")
    await booked.sync()
    (row,) = await booked.rows(
        """SELECT c.pims_id AS client, p.pims_id AS patient, c.active,
             (SELECT count(*) FROM client_contact k WHERE k.client_id = c.client_id) AS contacts,
             (SELECT patient FROM vaccination) AS vaccinated
           FROM appointment a JOIN client c USING (practice_id, client_id)
           JOIN patient p USING (practice_id, patient_id) WHERE reference = $1""",
        reference,
    )
    assert tuple(row) == ("sam2", "bo2", True, 2, "bo2")
    gone = await booked.rows("SELECT active FROM client WHERE pims_id = 'sam'")
    assert [one["active"] for one in gone] == [False]


async def test_who_comes_before_what_they_refer_to_is_linked_when_that_comes(sides: TwoSides) -> None:
    pims_id = sides.staff_book(0, 30, "new column", client="kim", patient="mo")
    sides.there.put(pims.Patient(pims_id="mo", client="kim", name="Mo", species="cat"))
    await sides.sync()
    sides.there.put(
        pims.Client(pims_id="kim", given_name="Kim", family_name="Ray", phones=("602 555 0144",)),
        pims.Resource(pims_id="new column", name="New column", resource_kind="provider"),
    )
    await sides.sync()
    await sides.sync()
    row = await sides.theirs(pims_id)
    assert row is not None
    assert row["takes"] == ["New column"]
    (linked,) = await sides.rows(
        """SELECT c.given_name, p.name FROM appointment JOIN client c USING (practice_id, client_id)
           JOIN patient p USING (practice_id, patient_id) WHERE appointment.pims_id = $1""",
        pims_id,
    )
    assert tuple(linked) == ("Kim", "Mo")


async def test_a_number_that_names_another_appointment_after_a_restore_leaves_our_booking_alone(
    booked: TwoSides,
) -> None:
    (reference,) = booked.references
    before, shown = await booked.ours(reference), await booked.written(reference)
    booked.there.put(
        pims.Client(pims_id="kim", given_name="Kim", family_name="Ray"),
        pims.Patient(pims_id="mo", client="kim", name="Mo", species="cat"),
        pims.Appointment(
            pims_id=shown.pims_id,
            start=booked.at(1, 150),
            end=booked.at(1, 180),
            resources=("room",),
            client="kim",
            patient="mo",
        ),
    )
    await booked.sync()
    after = await booked.ours(reference)
    assert (after["pims_id"], after["status"], after["starts_at"]) == (None, "booked", before["starts_at"])
    assert after["takes"] == before["takes"]
    row = await booked.theirs(shown.pims_id)
    assert row is not None
    assert (row["source"], row["takes"]) == ("pims", ["room"])
    assert [one.kind for one in await booked.tasks()] == ["another_record"]
    assert await booked.messages() == []


async def test_a_booking_is_recognized_word_for_word_where_the_marker_is_lost(sides: TwoSides) -> None:
    sides.there.keeps_markers = False
    reference = await sides.book()
    row = await sides.ours(reference)
    await sides.rows("UPDATE write_back SET state = 'unknown', attempts = 1, due_at = due_at + interval '1 hour'")
    sides.there.put(
        pims.Appointment(
            pims_id="x1",
            start=row["starts_at"],
            end=row["ends_at"],
            resources=tuple(row["takes"]),
            appointment_type="exam",
            client="sam",
            patient="bo",
        )
    )
    await sides.sync()
    assert (await sides.ours(reference))["pims_id"] == "x1"
    assert len(await sides.rows("SELECT 1 FROM appointment")) == 1


async def test_two_that_say_the_same_are_recognized_as_none(sides: TwoSides) -> None:
    reference = await sides.book()
    row = await sides.ours(reference)
    await sides.rows("UPDATE write_back SET state = 'unknown', attempts = 1, due_at = due_at + interval '1 hour'")
    for number in (1, 2):
        sides.there.put(
            pims.Appointment(
                pims_id=f"x{number}",
                start=row["starts_at"],
                end=row["ends_at"],
                resources=tuple(row["takes"]),
                appointment_type="exam",
                client="sam",
                patient="bo",
            )
        )
    await sides.sync()
    assert (await sides.ours(reference))["pims_id"] is None


async def test_clients_are_told_of_moves_and_cancellations_in_the_pims(booked: TwoSides) -> None:
    (reference,) = booked.references
    pims_id = (await booked.written(reference)).pims_id
    booked.staff_change(pims_id, start=booked.at(1, 90), end=booked.at(1, 120))
    await booked.sync()
    assert await booked.messages() == ["rescheduled"]
    booked.staff_change(pims_id, description="Bring the file", resources=("lin", "room"))
    await booked.sync()
    assert await booked.messages() == ["rescheduled"]
    booked.staff_change(pims_id, status="cancelled")
    await booked.sync()
    assert await booked.messages() == ["rescheduled", "cancelled"]
    sequence = (await booked.ours(reference))["calendar_sequence"]
    assert sequence == 2


async def test_a_deletion_is_told_to_staff_and_undone_when_the_appointment_is_there_again(booked: TwoSides) -> None:
    (reference,) = booked.references
    shown, takes = await booked.written(reference), (await booked.ours(reference))["takes"]
    booked.there.delete("appointment", shown.pims_id)
    await booked.sync()
    ours = await booked.ours(reference)
    assert (ours["status"], ours["takes"]) == ("cancelled", [])
    assert [one.kind for one in await booked.tasks()] == ["gone"]
    assert await booked.messages() == []
    booked.there.put(shown)
    await booked.sync()
    ours = await booked.ours(reference)
    assert (ours["status"], ours["takes"]) == ("booked", takes)
    assert await booked.tasks() == []


async def test_a_column_that_is_removed_keeps_what_is_to_come_and_staff_are_told(booked: TwoSides) -> None:
    (reference,) = booked.references
    takes = (await booked.ours(reference))["takes"]
    vet = next(one for one in takes if one != "room")
    column = booked.there.get("resource", vet)
    booked.there.delete("resource", vet)
    await booked.sync()
    assert (await booked.ours(reference))["takes"] == takes
    (task,) = await booked.tasks()
    assert (task.kind, "1 appointments are" in task.words) == ("column_removed", True)
    booked.there.put(column)
    await booked.sync()
    assert await booked.tasks() == []


async def test_reading_everything_again_disturbs_nobody(booked: TwoSides) -> None:
    booked.staff_book(0, 60, "lin", client="sam", patient="bo")
    await booked.sync()
    query = """SELECT (SELECT array_agg((xmin, appointment_id)::text ORDER BY appointment_id) FROM appointment) AS a,
                 (SELECT array_agg((xmin, claim_id)::text ORDER BY claim_id) FROM claim) AS k,
                 (SELECT array_agg((xmin, client_id)::text ORDER BY client_id) FROM client) AS c,
                 (SELECT array_agg((xmin, patient_id)::text ORDER BY patient_id) FROM patient) AS p,
                 (SELECT array_agg((xmin, resource_id)::text ORDER BY resource_id) FROM resource) AS r,
                 (SELECT array_agg((schedule_version, standing_version)::text) FROM practice) AS v,
                 (SELECT count(*) FROM message) AS m, (SELECT count(*) FROM webhook_event) AS w"""
    before = [tuple(one) for one in await booked.rows(query)]
    booked.there.forget_log()
    assert (await booked.sync()).changes > 8
    assert [tuple(one) for one in await booked.rows(query)] == before
    booked.now += 11 * MINUTE
    await booked.list_all()
    await booked.list_all("far listing")
    assert [tuple(one) for one in await booked.rows(query)] == before
