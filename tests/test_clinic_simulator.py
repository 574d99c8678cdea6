"""The clinic simulator: the same seed and requests give the same trace, and what each of its faults and lags does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from pims_adapters._agent import protocol
from tests.clinic import Dialect, Simulator, running_simulator

TUESDAY = datetime.fromisoformat("2026-11-24T08:00")


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running_simulator(options="--weeks=1") as simulator:
        simulator.back_up("clean")
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    """Return a simulated Cornerstone as it was seeded, but for its clock."""
    shared.order("restore_from_yesterday", backup="clean")
    shared.reset_faults()
    for state in ("clock_skew", "truncated_fields", "wrong_encoding", "read_only", "wrong_zone"):
        shared.order(state, ends=True)
    shared.settings(read_lag=0, write_lag=[0, 0], refuses_taken=False)
    return shared


def draft(simulator: Simulator, marker: str, **changed: Any) -> protocol.CreateAppointment:  # noqa: ANN401 - any field
    patient = next(row for row in simulator.patients() if row.status == "")
    whole = protocol.CreateAppointment(
        client=patient.client,
        patient=patient.id,
        type=simulator.types()[0].id,
        starts=TUESDAY,
        minutes=30,
        staff=simulator.providers()[0].id,
        notes=f"[Direct Booking #{marker}]",
    )
    return msgspec.structs.replace(whole, **changed)


def changes_of(simulator: Simulator, after: str | None = None, tables: str = "appointment", most: int = 500) -> Any:  # noqa: ANN401
    query = {"after": after} if after is not None else {}
    return simulator.ask("changes", tables=tables, most=most, **query).raise_for_status().json()


def head(simulator: Simulator, tables: str = "appointment") -> str:
    page = changes_of(simulator, tables=tables)
    while page["more"]:
        page = changes_of(simulator, page["cursor"], tables)
    return str(page["cursor"])


def busy_day(simulator: Simulator) -> None:
    """Let staff and an agent do things, some of which go wrong."""
    booked = simulator.book(TUESDAY, staff=simulator.providers()[0].id)
    simulator.settings(write_lag=[60, 180])
    simulator.order("answer_lost", on="write", times=None, chance=0.3, seconds=0)
    for number in range(20):
        try:
            simulator.write("create_appointment", draft(simulator, f"key-{number}"))
        except httpx.RemoteProtocolError:
            continue
    simulator.move(booked, starts=TUESDAY + timedelta(hours=1))
    simulator.order("client_merged")
    simulator.order("hard_delete")
    simulator.advance(minutes=2)
    simulator.order("id_reuse_after_restore")
    simulator.advance(days=2)
    simulator.cancel(simulator.appointments()[0].id)


@pytest.mark.parametrize("dialect", ["cornerstone", "avimark"])
def test_the_same_seed_and_requests_give_the_same_trace_and_the_same_records(dialect: Dialect) -> None:
    told = []
    for seed in (7, 7, 8):
        with running_simulator(dialect, seed=seed) as simulator:
            busy_day(simulator)
            told.append((simulator.digest(), msgspec.json.encode(simulator.state())))
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_an_agent_sees_a_change_when_the_read_lag_has_passed_and_staff_at_once(simulator: Simulator) -> None:
    simulator.settings(read_lag=30 * 60)
    before = head(simulator)
    id_ = simulator.book(TUESDAY, staff="1")
    simulator.advance(minutes=29)
    assert changes_of(simulator, before)["rows"] == []
    assert id_ in {row.id for row in simulator.appointments()}
    listed = simulator.ask("list", table="appointment", first=TUESDAY.date(), last=TUESDAY.date()).json()
    assert id_ not in {row["id"] for row in listed["rows"]}
    simulator.advance(minutes=1)
    page = changes_of(simulator, before)
    assert [row["id"] for row in page["rows"]] == [id_]
    assert page["age_seconds"] == 30 * 60


def test_what_an_agent_wrote_is_accepted_and_shows_when_the_write_lag_has_passed(simulator: Simulator) -> None:
    simulator.settings(write_lag=[60, 180])
    assert simulator.write("create_appointment", draft(simulator, "late")).json() == {"id": None}
    simulator.advance(59)
    assert simulator.ask("find", table="appointment", marker="late").json() == {"id": None}
    simulator.advance(121)
    found = simulator.ask("find", table="appointment", marker="late").json()["id"]
    assert [row.id for row in simulator.with_marker("late")] == [found]


@pytest.mark.parametrize(("dialect", "told"), [("cornerstone", True), ("avimark", False)])
def test_cornerstone_tells_of_a_deletion_and_avimark_lets_it_vanish(dialect: Dialect, *, told: bool) -> None:
    with running_simulator(dialect, options="--weeks=1") as simulator:
        id_ = simulator.book(TUESDAY, staff="1")
        after = head(simulator)
        simulator.delete(id_)
        rows = changes_of(simulator, after)["rows"]
        assert rows == ([{"table": "gone", "of": "appointment", "id": id_}] if told else [])
        listed = simulator.ask("list", table="appointment", first=TUESDAY.date(), last=TUESDAY.date()).json()
        assert id_ not in {row["id"] for row in listed["rows"]}


@pytest.mark.parametrize("dialect", ["cornerstone", "avimark"])
def test_only_creations_and_confirmations_are_taken_from_outside_unless_set(dialect: Dialect) -> None:
    with running_simulator(dialect, options="--weeks=1") as simulator:
        id_ = simulator.write("create_appointment", draft(simulator, "one")).json()["id"]
        body = protocol.SetStatus(id=id_, status="Cancelled")
        assert simulator.write("cancel_appointment", body).json()["error"] == "unsupported"
        assert simulator.write("confirm_appointment", protocol.SetStatus(id=id_, status="Confirmed")).is_success
        simulator.settings(writes=["cancel_appointment"])
        assert simulator.write("cancel_appointment", body).is_success
        assert simulator.with_marker("one")[0] == msgspec.structs.replace(
            simulator.with_marker("one")[0], status="Cancelled"
        )


def test_a_recurring_block_off_is_listed_on_the_days_it_touches(simulator: Simulator) -> None:
    id_ = simulator.block_off(TUESDAY, 60, staff="1", rrule="FREQ=WEEKLY;BYDAY=TU")
    tuesday, wednesday = date(2027, 1, 5), date(2027, 1, 6)
    listed = [simulator.ask("list", table="block", first=day, last=day).json() for day in (tuesday, wednesday)]
    assert [id_ in {row["id"] for row in each["rows"]} for each in listed] == [True, False]


def test_a_list_is_read_in_pages(simulator: Simulator) -> None:
    ids: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = simulator.ask("list", table="client", first=TUESDAY.date(), last=TUESDAY.date(), most=25, **after).json()
        ids += [row["id"] for row in page["rows"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert ids == [row.id for row in simulator.clients()]


# Faults of calls


def test_refused(simulator: Simulator) -> None:
    simulator.order("refused", on="create_appointment", taken=True)
    refused = simulator.write("create_appointment", draft(simulator, "no"))
    assert (refused.status_code, refused.json()["error"]) == (409, "taken")
    assert simulator.with_marker("no") == []
    assert simulator.write("create_appointment", draft(simulator, "no")).is_success


@pytest.mark.parametrize(
    ("fault", "written"), [("reset_before_commit", 0), ("reset_after_commit", 1), ("answer_lost", 1)]
)
def test_a_line_that_breaks_before_or_after_the_commit(simulator: Simulator, fault: str, written: int) -> None:
    simulator.order(fault, on="write")
    with pytest.raises(httpx.RemoteProtocolError):
        simulator.write("create_appointment", draft(simulator, "broken"))
    assert len(simulator.with_marker("broken")) == written
    assert [line["act"] for line in simulator.trace() if line["face"] == "fault"][-1:] == [fault]


def test_slow(simulator: Simulator) -> None:
    simulator.order("slow", on="read", seconds=0.3)
    answer = simulator.ask("read", table="client", id="10001")
    assert answer.elapsed >= timedelta(seconds=0.29)
    assert answer.json()["rows"][0]["id"] == "10001"


def test_half_a_page_breaks_off_or_lies(simulator: Simulator) -> None:
    simulator.order("half_page", on="list")
    with pytest.raises(httpx.RemoteProtocolError):
        simulator.ask("list", table="client", first=TUESDAY.date(), last=TUESDAY.date())
    simulator.order("half_page", on="list", lying=True)
    lie = simulator.ask("list", table="client", first=TUESDAY.date(), last=TUESDAY.date()).json()
    assert (len(lie["rows"]), lie["next"]) == (len(simulator.clients()) // 2, None)


def test_a_page_comes_twice(simulator: Simulator) -> None:
    after = head(simulator)
    id_ = simulator.book(TUESDAY, staff="1")
    simulator.order("duplicate_page", rows=3)
    ids = [row["id"] for row in changes_of(simulator, after)["rows"]]
    assert ids.count(id_) == 2
    assert len(ids) == 5


def test_times_out_of_order(simulator: Simulator) -> None:
    after = head(simulator)
    ids = [simulator.book(TUESDAY, staff=staff) for staff in ("1", "2", "3")]
    simulator.order("out_of_order_times", seconds=3600)
    page = changes_of(simulator, after)
    assert [row["id"] for row in page["rows"]] == ids[::-1]
    assert page["age_seconds"] == 3600


def test_a_fault_strikes_as_often_and_as_late_as_ordered(simulator: Simulator) -> None:
    simulator.order("refused", on="create_client", skip=1, times=2)
    body = protocol.CreateClient(first_name="Ann", last_name="Lee", phone="+12125550101", notes="")
    assert [simulator.write("create_client", body).is_success for _ in range(4)] == [True, False, False, True]


# Faults that happen to records, or to the whole system


def test_a_hard_delete_leaves_no_word_and_undelete_brings_the_record_back(simulator: Simulator) -> None:
    id_ = simulator.book(TUESDAY, staff="1")
    after = head(simulator)
    assert simulator.order("hard_delete", id=id_) == id_
    assert changes_of(simulator, after)["rows"] == []
    assert id_ not in {row.id for row in simulator.appointments()}
    simulator.order("undelete")
    assert [row["id"] for row in changes_of(simulator, after)["rows"]] == [id_]


def test_restore_from_yesterday_loses_today_without_a_word(simulator: Simulator) -> None:
    simulator.book(TUESDAY, staff="1", notes="kept")
    simulator.advance(days=1)
    lost = simulator.book(TUESDAY, staff="2", notes="lost")
    after = head(simulator)
    simulator.order("restore_from_yesterday")
    assert [len(simulator.with_marker(each)) for each in ("kept", "lost")] == [1, 0]
    assert changes_of(simulator, after)["rows"] == []
    assert int(simulator.book(TUESDAY, staff="3")) > int(lost)
    assert len(changes_of(simulator, after)["rows"]) == 1


def test_identifiers_are_used_again_after_a_restore(simulator: Simulator) -> None:
    simulator.advance(days=1)
    lost = simulator.book(TUESDAY, staff="2", notes="lost")
    simulator.order("id_reuse_after_restore")
    assert simulator.book(TUESDAY, staff="3", notes="another") == lost


def test_a_noticed_restore_makes_cursors_unknown(simulator: Simulator) -> None:
    after = head(simulator)
    simulator.order("restore_from_yesterday", noticed=True)
    assert simulator.ask("changes", tables="appointment", after=after).status_code == 410


def test_a_merged_client_takes_its_patients_and_appointments_along(simulator: Simulator) -> None:
    patient = simulator.patients()[0]
    into = simulator.clients()[-1].id
    booked = simulator.book(TUESDAY, staff="1", client=patient.client, patient=patient.id)
    after = head(simulator, "client,patient,appointment")
    simulator.order("client_merged", id=patient.client, into=into)
    rows = changes_of(simulator, after, "client,patient,appointment")["rows"]
    assert rows[-1] == {"table": "merged", "of": "client", "id": patient.client, "into": into}
    assert {row["client"] for row in rows if row["table"] in ("patient", "appointment")} == {into}
    assert {patient.id, booked} <= {row["id"] for row in rows}


def test_a_provider_is_removed(simulator: Simulator) -> None:
    id_ = simulator.order("provider_removed")
    assert [row.active for row in simulator.providers() if row.id == id_] == [False]
    id_ = simulator.order("provider_removed", hard=True)
    assert id_ not in {row.id for row in simulator.providers()}


def test_fields_are_truncated(simulator: Simulator) -> None:
    simulator.order("truncated_fields", length=10)
    simulator.write("create_appointment", draft(simulator, "marker", notes="Itchy ears since Monday. #marker"))
    assert simulator.with_marker("marker") == []
    assert [row for row in simulator.appointments() if row.notes == "Itchy ears"]


def test_the_wrong_encoding_is_no_utf_8(simulator: Simulator) -> None:
    query = {"table": "client", "first": "2026-11-24", "last": "2026-11-24"}
    right = simulator.ask("list", **query).content.decode()
    simulator.order("wrong_encoding")
    wrong = simulator.ask("list", **query).content
    with pytest.raises(UnicodeDecodeError):
        wrong.decode()
    assert wrong.decode("cp1252") == right
    assert "Muñoz" in right


def test_a_read_only_system_refuses_every_write(simulator: Simulator) -> None:
    simulator.order("read_only")
    assert simulator.write("create_appointment", draft(simulator, "no")).json()["error"] == "read_only"
    assert simulator.ask("read", table="client", id="10001").is_success
    simulator.order("read_only", ends=True)
    assert simulator.write("create_appointment", draft(simulator, "yes")).is_success


def test_the_wrong_zone_and_a_skewed_clock_are_what_it_says_of_itself(simulator: Simulator) -> None:
    simulator.order("wrong_zone", zone="Europe/Paris")
    simulator.order("clock_skew", seconds=3600)
    about = simulator.ask("about").json()
    assert about["timezone"] == "Europe/Paris"
    assert about["skew_seconds"] == 3600
    assert datetime.fromisoformat(about["clock"]) == simulator.now + timedelta(hours=1)


def test_it_takes_thousands_of_requests_a_second(simulator: Simulator) -> None:
    """A benchmark in name only: a tenth of what it does when nobody else works here, so that no slowness creeps in."""
    began = simulator.cpu_seconds()
    for _ in range(500):
        simulator.ask("find", table="appointment", marker="nothing-has-it")
    assert simulator.cpu_seconds() - began < 1
