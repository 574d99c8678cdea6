"""Writing into ezyVet: exactly one request, the truth about what became of it, and our key where it can be found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    ClientDraft,
    PatientDraft,
    PimsMisconfigured,
    PimsRejected,
    PimsUnavailable,
)
from pims_adapters.ezyvet.adapter import EzyVetAdapter
from tests.ezyvet_double import EzyVetDouble, opened
from tests.pims_adapters.ezyvet.double import seed

NOOR = ClientDraft(given_name="Noor", family_name="Haddad", phone="+12125550777", email="noor@example.com")
BOOKING = "POST /ezycab/booking"


async def test_a_booking_is_written_with_uids_in_utc_and_minutes(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-1")
    (row,) = double.carrying("appointment", "description", "VS-1")
    assert str(row["id"]) == pims_id
    assert row["description"] == "[vetslot Direct Booking] Limping | Ref: VS-1"
    assert (row["start_at"], row["duration"]) == (int(draft.start.timestamp()), 1800)
    assert [one["id"] for one in row["resources"]] == [seed.LANG, seed.ROOM_1]
    assert (row["contact_id"], row["animal_id"], row["type_id"]) == (seed.ALMA, seed.PIP, seed.CONSULTATION)
    assert row["consult_id"], "Only the booking endpoint opens a consult."


async def test_one_booking_is_one_post(double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft) -> None:
    double.asked()
    await adapter.create_appointment(draft, "VS-ONE")
    assert double.asked().count(BOOKING) == 1


@pytest.mark.parametrize(
    ("fault", "outcome_unknown", "written"),
    [
        ("reset_before", True, False),
        ("unavailable", True, False),
        ("redirect", True, False),
        ("answer_lost", True, True),
        ("error_after", True, True),
        ("broken_answer", True, True),
        ("malformed_success", True, True),
        ("slow", True, True),
        ("rate_limited", False, False),
        ("rate_limited_until", False, False),
        ("unauthorized", False, False),
    ],
)
async def test_a_booking_that_goes_wrong_is_not_sent_again_and_tells_whether_it_may_stand(
    double: EzyVetDouble, draft: AppointmentDraft, fault: str, *, outcome_unknown: bool, written: bool
) -> None:
    adapter = opened(double.settings | {"timeout_seconds": "1"})
    double.asked()
    double.order(fault, "write", seconds=2)
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.create_appointment(draft, f"VS-{fault}")
    await adapter.close()
    assert failed.value.outcome_unknown is outcome_unknown
    assert double.asked().count(BOOKING) == 1
    after = opened(double.settings)
    assert (await after.find("appointment", f"VS-{fault}") is not None) is written
    await after.close()


@pytest.mark.parametrize("fault", ["answer_lost", "error_after", "malformed_success", "broken_answer"])
@pytest.mark.parametrize("what", ["client", "patient", "cancel", "confirm"])
async def test_other_writes_that_go_wrong_leave_their_outcome_unknown(
    double: EzyVetDouble,
    adapter: EzyVetAdapter,
    draft: AppointmentDraft,
    fault: str,
    what: Literal["client", "patient", "cancel", "confirm"],
) -> None:
    pims_id = await adapter.create_appointment(draft, f"VS-{fault}-{what}")
    assert pims_id is not None
    patient = PatientDraft(client=str(seed.ALMA), name="Zuzu", species="dog")
    writes: dict[str, Callable[[], Awaitable[object]]] = {
        "client": lambda: adapter.create_client(NOOR, f"C-{fault}-{what}"),
        "patient": lambda: adapter.create_patient(patient, f"P-{fault}-{what}"),
        "cancel": lambda: adapter.cancel_appointment(pims_id, "k"),
        "confirm": lambda: adapter.confirm_appointment(pims_id, "k"),
    }
    double.order(fault, "write")
    with pytest.raises(PimsUnavailable) as failed:
        await writes[what]()
    assert failed.value.outcome_unknown


async def test_a_booking_whose_number_cannot_be_read_may_stand(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    """It was booked; what failed is the question after it."""
    first = await adapter.create_appointment(draft, "VS-FIRST")
    assert await adapter.read("appointment", first or "")  # so that nothing else is to be asked
    late = replace(draft, start=draft.start + timedelta(hours=1), end=draft.end + timedelta(hours=1))
    # The calendar is asked once before the booking and once after it.
    double.order("slow", "/v2/appointment", seconds=0)
    double.order("unavailable", "/v2/appointment")
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.create_appointment(late, "VS-LATE")
    assert failed.value.outcome_unknown
    assert await adapter.find("appointment", "VS-LATE") is not None


async def test_a_client_on_stop_is_asked_to_call(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    animal = next(one for one in double.rows("animal") if one["contact_id"] == seed.STOPPED)
    stopped = replace(draft, client=str(seed.STOPPED), patient=str(animal["id"]))
    double.asked()
    with pytest.raises(PimsRejected, match="please call") as refused:
        await adapter.create_appointment(stopped, "VS-STOP")
    assert not refused.value.taken
    assert BOOKING not in double.asked()


async def test_a_time_that_ezyvet_itself_calls_taken_is_taken(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    """Someone at the front desk was faster than our own look: the two do not see each other's resources."""
    double.act("site", refuses_overlaps=True)
    double.book(draft.start, 30, [seed.ROOM_1], status=6)  # to us a no-show frees its time
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(draft, "VS-TAKEN")
    assert refused.value.taken
    assert double.carrying("appointment", "description", "VS-TAKEN") == []


@pytest.mark.parametrize(
    "columns", [[seed.LANG], [seed.ROOM_1], [seed.LANG_THERE]], ids=["doctor", "room", "elsewhere"]
)
@pytest.mark.parametrize("kind", [seed.CONSULTATION, seed.BLOCK], ids=["visit", "block"])
async def test_a_time_that_is_taken_is_not_even_asked_for(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft, columns: list[int], kind: int
) -> None:
    start = (draft.start - timedelta(minutes=15)).isoformat()
    double.act("appointments", start=start, minutes=30, columns=columns, kind=kind)
    double.asked()
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(draft, "VS-BUSY")
    assert refused.value.taken
    assert BOOKING not in double.asked()


@pytest.mark.parametrize(
    "change",
    [
        {"end": 5},
        {"end": 31},
        {"end": 365},
        {"appointment_type": str(seed.BLOCK)},
        {"appointment_type": "99"},
        {"client": "9999"},
        {"patient": "9999"},
        {"client": None},
        {"resources": ()},
        {"resources": ("1", "99")},
    ],
    ids=str,
)
async def test_what_ezyvet_would_not_take_is_rejected_before_it_is_sent(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft, change: dict[str, object]
) -> None:
    if isinstance(change.get("end"), int):
        change = {"end": draft.start + timedelta(minutes=int(str(change["end"])))}
    double.asked()
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(replace(draft, **change), "VS-NOT")
    assert not refused.value.taken
    assert BOOKING not in double.asked()


async def test_find_reads_through_recent_rows_where_the_filter_is_refused(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-UNFILTERED")
    client = await adapter.create_client(NOOR, "C-UNFILTERED")
    patient = await adapter.create_patient(PatientDraft(client=client, name="Zuzu", species="dog"), "P-UNFILTERED")
    keys: tuple[tuple[Literal["client", "patient", "appointment"], str, str, str | None], ...] = (
        ("appointment", "appointment/description", "VS-UNFILTERED", pims_id),
        ("client", "contactdetail/name", "C-UNFILTERED", client),
        ("patient", "animal/notes", "P-UNFILTERED", patient),
    )
    for kind, field, key, expected in keys:
        double.act(f"refuse-filter/{field}")
        assert await adapter.find(kind, key) == expected
        assert await adapter.find(kind, "VS-NEVER") is None


async def test_absence_is_not_claimed_where_the_recent_rows_cannot_be_read(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    double.order("slow", "/v2/appointment", seconds=0)
    double.order("unavailable", "/v2/appointment")
    with pytest.raises(PimsUnavailable):
        await adapter.find("appointment", "VS-NEVER")
    double.act("calm")
    assert await adapter.find("appointment", "VS-NEVER") is None


async def test_of_two_with_our_key_the_older_is_ours(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-TWICE")
    double.book(draft.start + timedelta(hours=2), 30, [seed.LANG], description="Copied | Ref: VS-TWICE")
    assert await adapter.find("appointment", "VS-TWICE") == pims_id


async def test_staff_may_write_behind_our_key(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-NOTED")
    assert pims_id is not None
    double.change("appointment", pims_id, description="Limping | Ref: VS-NOTED called, brings X-rays")
    assert await adapter.find("appointment", "VS-NOTED") == pims_id
    assert await adapter.find("appointment", "VS-NOTE") is None


async def test_a_new_client_stands_with_phone_email_and_department(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    pims_id = await adapter.create_client(NOOR, "C-NEW")
    row = next(one for one in double.rows("contact") if str(one["id"]) == pims_id)
    assert (row["first_name"], row["last_name"], row["is_customer"], row["stop_credit"]) == (
        "Noor",
        "Haddad",
        True,
        "OK",
    )
    assert row["ownership_id"] == seed.HERE
    details = [one for one in double.rows("contactdetail") if str(one["contact_id"]) == pims_id]
    assert {one["contact_detail_type_id"]: one["value"] for one in details} == {
        1: "noor@example.com",
        3: "+12125550777",
    }


async def test_a_client_without_phone_and_email_is_rejected(adapter: EzyVetAdapter) -> None:
    with pytest.raises(PimsRejected):
        await adapter.create_client(ClientDraft(given_name="Noor", family_name="Haddad"), "C-NONE")


async def test_a_new_patient_gets_the_sites_own_species_sex_and_breed(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    draft = PatientDraft(
        client=str(seed.ALMA),
        name="Zuzu",
        species="dog",
        breed="beagle",
        sex="female_spayed",
        birth_date=date(2024, 2, 29),
    )
    pims_id = await adapter.create_patient(draft, "P-NEW")
    row = next(one for one in double.rows("animal") if str(one["id"]) == pims_id)
    assert (row["species_id"], row["sex_id"], row["breed_id"]) == (1, 5, 1)
    assert row["notes"] == "| Ref: P-NEW"
    patient = await adapter.read("patient", pims_id)
    assert patient is not None
    assert (patient.birth_date, patient.breed, patient.sex) == (date(2024, 2, 29), "Beagle", "female_spayed")  # type: ignore[union-attr]  # a patient


async def test_a_breed_that_the_site_does_not_list_is_noted_and_an_unknown_sex_is_said_so(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    draft = PatientDraft(client=str(seed.ALMA), name="Zuzu", species="cat", breed="Beagle")
    pims_id = await adapter.create_patient(draft, "P-BREED")
    row = next(one for one in double.rows("animal") if str(one["id"]) == pims_id)
    assert (row["species_id"], row["sex_id"], row["breed_id"]) == (2, 1, None)
    assert row["notes"] == "Breed: Beagle | Ref: P-BREED"


async def test_a_species_that_the_site_does_not_have_is_rejected(adapter: EzyVetAdapter) -> None:
    with pytest.raises(PimsRejected, match="species"):
        await adapter.create_patient(PatientDraft(client="1", name="Zuzu", species="horse"), "P-HORSE")


async def test_a_cancellation_says_why_and_one_that_stands_is_not_sent(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-CANCEL")
    assert pims_id is not None
    await adapter.cancel_appointment(pims_id, "k")
    (row,) = double.carrying("appointment", "description", "VS-CANCEL")
    assert (row["active"], row["cancellation_reason_text"]) == (False, "Cancelled by the client online")
    double.asked()
    await adapter.cancel_appointment(pims_id, "k")
    assert not [one for one in double.asked() if one.startswith("PATCH")]


async def test_a_confirmation_does_not_take_back_an_arrival(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-HERE")
    assert pims_id is not None
    await adapter.note_arrival(pims_id, "arrived", "k")
    await adapter.confirm_appointment(pims_id, "k")
    shown = await adapter.read("appointment", pims_id)
    assert isinstance(shown, Appointment)
    assert shown.status == "arrived"


async def test_a_site_without_a_fitting_status_says_so(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "VS-NOSHOW")
    assert pims_id is not None
    double.change("appointmentstatus", 6, name="Did their own thing")
    try:
        with pytest.raises(PimsRejected, match="no show"):
            await adapter.note_arrival(pims_id, "no_show", "k")
    finally:
        double.change("appointmentstatus", 6, name="No Show")


async def test_a_missing_scope_is_misconfigured(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    double.order("forbidden", "write")
    with pytest.raises(PimsMisconfigured):
        await adapter.create_appointment(draft, "VS-SCOPE")


async def test_a_visit_over_the_end_of_summer_time_stands_where_it_was_meant(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    start = datetime(2027, 11, 7, 5, 45, tzinfo=UTC)
    pims_id = await adapter.create_appointment(replace(draft, start=start, end=start + timedelta(minutes=30)), "VS-DST")
    assert pims_id is not None
    shown = await adapter.read("appointment", pims_id)
    assert isinstance(shown, Appointment)
    assert (shown.start, shown.end) == (start, start + timedelta(minutes=30))
