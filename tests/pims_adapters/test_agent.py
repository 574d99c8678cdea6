"""The reference agent between the clinic simulator and a line whose other end a test decides."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import UNSET

from pims_adapters._agent import protocol
from pims_adapters._agent.agent.__main__ import exit_code, main
from pims_adapters._agent.agent.feeds import until_local
from pims_adapters._agent.agent.folder import Folder, FolderTaken
from pims_adapters._agent.agent.journal import KEPT_FOR, Journal, Written
from pims_adapters._agent.agent.line import LineError
from pims_adapters._agent.agent.patience import LONGEST, Patience
from pims_adapters._agent.marker import marker
from tests.agent import agent_process, agent_task, opened_agent
from tests.clinic import Simulator, running_simulator
from tests.pims_adapters.line_end import LineEnd, line_end

TUESDAY = datetime.fromisoformat("2026-11-24T08:00")
NOW = datetime(2026, 11, 23, 13, tzinfo=UTC)
MOMENTS = range(0, 100, 4) if "VETSLOT_PROVE" in os.environ else (0, 12, 40)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running_simulator("avimark", options="--weeks=1") as clinic:
        clinic.back_up("clean")
        yield clinic


@pytest.fixture
def clinic(shared: Simulator) -> Simulator:
    """Return a simulated AVImark as it was seeded, but for its clock."""
    shared.order("restore_from_yesterday", backup="clean")
    shared.reset_faults()
    for state in ("clock_skew", "wrong_encoding", "read_only", "wrong_zone"):
        shared.order(state, ends=True)
    shared.settings(read_lag=0, write_lag=[0, 0], refuses_taken=False)
    return shared


@pytest.fixture
async def end() -> AsyncIterator[LineEnd]:
    async with line_end() as end:
        yield end


def draft(clinic: Simulator, key: str) -> protocol.CreateAppointment:
    patient = next(row for row in clinic.patients() if row.status == "")
    return protocol.CreateAppointment(
        client=patient.client,
        patient=patient.id,
        type=clinic.types()[0].id,
        starts=TUESDAY,
        minutes=30,
        staff=clinic.providers()[0].id,
        notes=f"{marker(key)} Direct Booking",
    )


def created(result: protocol.Result) -> str | None:
    assert result.failure is None, result.failure
    assert result.answer is not UNSET
    return msgspec.json.decode(result.answer, type=protocol.Created).id


# Feeds


async def test_everything_is_pushed_and_then_what_changes(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
        assert {id_ for kind, id_ in end.rows if kind == "Appointment"} == {row.id for row in clinic.appointments()}
        assert {id_ for kind, id_ in end.rows if kind == "Client"} == {row.id for row in clinic.clients()}
        booked = clinic.book(TUESDAY, staff="1")
        await end.quiet()
        assert ("Appointment", booked) in end.rows
    assert end.goodbyes == 1


async def test_pages_follow_each_other_from_where_the_line_says(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    seen = len(end.pages)
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    assert all(not page.rows for page in end.pages[seen:])
    for feed in end.feeds:
        pages = [page for page in end.pages if page.feed == feed]
        assert all(before.cursor == after.after for before, after in pairwise(pages))


async def test_a_feed_that_stands_elsewhere_than_the_agent_thinks_goes_on_from_there(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
        before = end.feeds["people"].cursor
        end.feeds["people"] = msgspec.structs.replace(end.feeds["people"], cursor=None)
        end.rows.clear()
        async with asyncio.timeout(10):
            while end.feeds["people"].cursor != before:
                await asyncio.sleep(0.01)
    assert {id_ for kind, id_ in end.rows if kind == "Client"} == {row.id for row in clinic.clients()}


async def test_a_page_whose_answer_was_lost_is_pushed_again_and_kept_once(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    end.lose("pages")
    end.lose("pages", "before")
    end.lose("pages", "unreadable")
    end.lose("pages", "busy")
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    cursors = [(page.feed, page.cursor) for page in end.pages if page.rows]
    assert len(cursors) == len(set(cursors))
    assert {id_ for kind, id_ in end.rows if kind == "Appointment"} == {row.id for row in clinic.appointments()}


async def test_a_page_shows_the_pims_as_old_as_it_is(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    clinic.settings(read_lag=1800)
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    assert {page.clock - page.as_of for page in end.pages} == {timedelta(minutes=30)}


async def test_what_a_pims_that_lost_its_place_holds_is_pushed_after_what_was_kept(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
        clinic.order("restore_from_yesterday", backup="clean", noticed=True)
        end.rows.clear()
        await end.quiet()
        assert {id_ for kind, id_ in end.rows if kind == "Client"} == {row.id for row in clinic.clients()}


async def test_a_feed_is_pushed_again_when_asked_for(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
        end.rows.clear()
        end.feeds["people"] = msgspec.structs.replace(end.feeds["people"], cursor=None)
        await end.result(end.ask("resend", protocol.Resend(feed="people")))
        await end.quiet()
        assert {id_ for kind, id_ in end.rows if kind == "Client"} == {row.id for row in clinic.clients()}


async def test_text_that_is_not_utf_8_arrives_as_it_was_meant(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    clinic.order("wrong_encoding")
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    named = [row.last_name for row in end.rows.values() if isinstance(row, protocol.Client)]
    assert "Muñoz" in named
    assert named == [row.last_name for row in clinic.clients()]


async def test_half_a_page_from_the_pims_is_read_again(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    clinic.order("half_page", on="changes", times=2)
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    assert {id_ for kind, id_ in end.rows if kind == "Appointment"} == {row.id for row in clinic.appointments()}


async def test_the_agent_tells_the_time_of_its_machine_right_or_wrong(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    clinic.order("clock_skew", seconds=7200)
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    assert timedelta(hours=1, minutes=59) < end.hellos[0].clock - datetime.now(UTC) < timedelta(hours=2, minutes=1)
    assert all(page.clock == page.as_of for page in end.pages)


@pytest.mark.parametrize(
    ("now", "hours"),
    [("2026-11-23T06:30Z", 1), ("2026-11-23T07:30Z", 24), ("2026-03-08T05:30Z", 2), ("2026-11-01T05:30Z", 2)],
)
def test_a_nightly_feed_waits_for_its_local_time_over_changes_of_the_clock(now: str, hours: float) -> None:
    zone = ZoneInfo("America/New_York")
    assert until_local(datetime.fromisoformat(now), time(2, 30), zone) == timedelta(hours=hours)


# Calls


async def test_a_call_is_done_and_reported(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        made = created(await end.result(end.ask("create_appointment", draft(clinic, "K1"), key="K1")))
        (row,) = clinic.with_marker(marker("K1"))
        assert row.id == made
        read = await end.result(end.ask("read", protocol.Read(table="appointment", id=row.id)))
        assert read.answer is not UNSET
        assert msgspec.json.decode(read.answer, type=protocol.Rows).rows == (row,)
        found = await end.result(end.ask("find", protocol.Find(table="appointment", marker=marker("K1"))))
        assert created(found) == row.id


async def test_a_key_is_done_once_however_often_it_comes(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        first = created(await end.result(end.ask("create_appointment", draft(clinic, "K2"), key="K2")))
        again = created(await end.result(end.ask("create_appointment", draft(clinic, "K2"), key="K2")))
    async with agent_task(end.url, "t", clinic, tmp_path):
        later = created(await end.result(end.ask("create_appointment", draft(clinic, "K2"), key="K2")))
    assert first == again == later
    assert len(clinic.with_marker(marker("K2"))) == 1


@pytest.mark.parametrize("fault", ["answer_lost", "reset_after_commit"])
async def test_a_write_whose_answer_was_lost_is_found_in_the_pims(
    clinic: Simulator, end: LineEnd, tmp_path: Path, fault: str
) -> None:
    clinic.order(fault, on="create_appointment")
    async with agent_task(end.url, "t", clinic, tmp_path):
        made = created(await end.result(end.ask("create_appointment", draft(clinic, "K3"), key="K3")))
    assert [row.id for row in clinic.with_marker(marker("K3"))] == [made]


async def test_a_write_that_cannot_be_found_yet_is_not_sent_again(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    clinic.settings(write_lag=[60, 60])
    clinic.order("answer_lost", on="create_appointment")
    async with agent_task(end.url, "t", clinic, tmp_path):
        for _ in range(2):
            result = await end.result(end.ask("create_appointment", draft(clinic, "K4"), key="K4"))
            assert result.failure is not None
            assert result.failure.kind == "unavailable"
            assert result.failure.outcome_unknown
        clinic.advance(minutes=1)
        made = created(await end.result(end.ask("create_appointment", draft(clinic, "K4"), key="K4")))
    assert [row.id for row in clinic.with_marker(marker("K4"))] == [made]


async def test_a_result_whose_answer_was_lost_is_reported_again(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    end.lose("calls/result", "before")
    async with agent_task(end.url, "t", clinic, tmp_path):
        assert created(await end.result(end.ask("create_appointment", draft(clinic, "K5"), key="K5")))
    assert len(clinic.with_marker(marker("K5"))) == 1


async def test_a_refusal_is_told_as_one(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    clinic.order("refused", on="create_appointment", taken=True)
    async with agent_task(end.url, "t", clinic, tmp_path):
        result = await end.result(end.ask("create_appointment", draft(clinic, "K6"), key="K6"))
        assert result.failure == protocol.Failure(kind="rejected", reason="Refused on request.", taken=True)
        assert created(await end.result(end.ask("create_appointment", draft(clinic, "K6"), key="K6")))


async def test_a_call_that_comes_too_late_is_left(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        result = await end.result(end.ask("create_appointment", draft(clinic, "K7"), key="K7", within=-1))
    assert result.failure is not None
    assert (result.failure.kind, result.failure.outcome_unknown) == ("unavailable", False)
    assert clinic.with_marker(marker("K7")) == []


async def test_a_call_that_cannot_be_read_is_refused(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        result = await end.result(end.ask("create_appointment", protocol.Done(), key="K8"))
    assert result.failure is not None
    assert result.failure.kind == "rejected"


async def test_a_long_list_is_told_page_by_page(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    for number in range(500):
        clinic.staff("create_client", last_name=f"Crowd {number}")
    rows: list[protocol.AnyRow] = []
    after: str | None = None
    async with agent_task(end.url, "t", clinic, tmp_path):
        while True:
            body = protocol.ListRows(table="client", first=TUESDAY.date(), last=TUESDAY.date(), after=after)
            result = await end.result(end.ask("list", body))
            assert result.answer is not UNSET
            page = msgspec.json.decode(result.answer, type=protocol.Rows)
            rows += page.rows
            after = page.next
            if after is None:
                break
    assert [row.id for row in rows] == [row.id for row in clinic.clients()]


async def test_reads_do_not_wait_for_a_slow_write(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    clinic.order("slow", on="create_appointment", seconds=1)
    async with agent_task(end.url, "t", clinic, tmp_path):
        written = end.ask("create_appointment", draft(clinic, "K9"), key="K9")
        await end.result(end.ask("read", protocol.Read(table="client", id="1")))
        assert written not in end.results
        assert created(await end.result(written))


# Crashes, and others on the line


@pytest.mark.parametrize("milliseconds", MOMENTS)
async def test_killed_in_the_middle_of_a_write_there_is_one_appointment_and_vetslot_hears_of_it(
    clinic: Simulator, end: LineEnd, tmp_path: Path, milliseconds: int
) -> None:
    clinic.order("slow", on="create_appointment", seconds=0.03)
    with agent_process(end.url, "t", clinic, tmp_path) as agent:
        await end.quiet(20)
        id_ = end.ask("create_appointment", draft(clinic, "KILL"), key="KILL")
        async with asyncio.timeout(5):
            while id_ not in end.handed_out:
                await asyncio.sleep(0.001)
        await asyncio.sleep(milliseconds / 1000)
        agent.kill()
        agent.start()
        again = end.ask("create_appointment", draft(clinic, "KILL"), key="KILL")
        result = await end.result(again, 30)
        assert result.failure is None or result.failure.outcome_unknown
        assert len(clinic.with_marker(marker("KILL"))) <= 1
        if result.failure is None:
            assert [row.id for row in clinic.with_marker(marker("KILL"))] == [created(result)]


async def test_a_write_that_a_crash_left_open_is_told_after_the_next_start(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    row = clinic.write("create_appointment", draft(clinic, "OPEN")).json()["id"]
    (tmp_path / "state").mkdir()
    journal = Journal(tmp_path / "state" / "journal.jsonl", NOW)
    journal.begin(Written(call="create_appointment", key="OPEN", call_id="call-lost", begun=datetime.now(UTC)))
    journal.close()
    async with agent_task(end.url, "t", clinic, tmp_path / "state"):
        assert created(await end.result("call-lost")) == row


async def test_a_write_that_never_left_is_told_as_not_done_once_that_is_sure(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal.jsonl", NOW)
    begun = datetime.now(UTC) - timedelta(minutes=5)
    journal.begin(Written(call="create_appointment", key="NEVER", call_id="call-never", begun=begun))
    journal.close()
    async with agent_task(end.url, "t", clinic, tmp_path):
        result = await end.result("call-never")
        assert result.failure is not None
        assert not result.failure.outcome_unknown
        assert created(await end.result(end.ask("create_appointment", draft(clinic, "NEVER"), key="NEVER")))
    assert len(clinic.with_marker(marker("NEVER"))) == 1


async def test_an_agent_that_lost_the_line_says_hello_again(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
        end._instance = "another"  # noqa: SLF001 - somebody else was let in
        async with asyncio.timeout(10):
            while len(end.hellos) < 2:
                await asyncio.sleep(0.01)
        await end.quiet()


async def test_an_agent_says_whose_folder_it_has_taken_over(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    for _ in range(2):
        async with agent_task(end.url, "t", clinic, tmp_path):
            await end.quiet()
    assert [hello.replaces for hello in end.hellos] == [None, end.hellos[0].instance]
    assert end.hellos[0].instance != end.hellos[1].instance


async def test_an_agent_stands_by_while_another_has_the_line(clinic: Simulator, end: LineEnd, tmp_path: Path) -> None:
    end.refusals += [(409, "another-agent"), (503, "")]
    async with agent_task(end.url, "t", clinic, tmp_path):
        await end.quiet()
    assert end.refusals == []


# The journal


def test_the_journal_outlives_a_line_that_a_crash_broke_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", NOW)
    journal.begin(Written(call="create_client", key="a", call_id="1", begun=NOW))
    journal.close()
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"call":"create_client","key":"b"')
    journal = Journal(tmp_path / "j", NOW)
    journal.begin(Written(call="create_client", key="c", call_id="3", begun=NOW))
    journal.close()
    journal = Journal(tmp_path / "j", NOW)
    assert [journal.of("create_client", key) is not None for key in "abc"] == [True, False, True]
    journal.close()


def test_the_journal_forgets_what_is_long_past_and_never_an_open_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", NOW)
    for key, reported in (("open", False), ("told", True)):
        journal.begin(Written(call="create_client", key=key, call_id=key, begun=NOW, reported=reported))
    journal.close()
    journal = Journal(tmp_path / "j", NOW + KEPT_FOR * 2)
    assert journal.of("create_client", "open") is not None
    assert journal.of("create_client", "told") is None
    journal.close()


def test_pauses_grow_are_bounded_and_differ() -> None:
    patience = Patience()
    pauses = [patience.pause() for _ in range(30)]
    assert pauses[0] <= 0.5
    assert all(LONGEST.total_seconds() / 2 <= each <= LONGEST.total_seconds() for each in pauses[-5:])
    assert len(set(pauses[-5:])) > 1
    patience.rest()
    assert patience.pause() <= 0.5


# The command


async def exit_of(end: LineEnd, clinic: Simulator, folder: Path, options: str = "--once") -> tuple[int, str]:
    with agent_process(end.url, "t", clinic, folder, options=options) as agent:
        code = await asyncio.to_thread(agent.wait)
        return code, agent.said().strip().splitlines()[-1]


async def test_once_pushes_what_is_new_does_what_is_to_be_done_and_leaves(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    id_ = end.ask("create_appointment", draft(clinic, "ONCE"), key="ONCE")
    code, _ = await exit_of(end, clinic, tmp_path)
    assert code == 0
    assert created(await end.result(id_))
    assert ("Client", clinic.clients()[0].id) in end.rows
    assert end.goodbyes == 1


@pytest.mark.parametrize(
    ("status", "problem", "code"),
    [
        (401, "agent-unknown", 3),
        (422, "protocol-refused", 4),
        (403, "agent-refused", 5),
        (409, "another-agent", 8),
        (503, "busy", 9),
    ],
)
async def test_whatever_stands_in_the_way_has_its_exit_code(
    clinic: Simulator, end: LineEnd, status: int, problem: str, code: int, tmp_path: Path
) -> None:
    end.refusals.append((status, problem))
    async with opened_agent(end.url, "t", clinic, tmp_path) as agent:
        with pytest.raises(LineError) as error:
            await agent.run_once()
    assert exit_code(error.value) == code
    assert str(error.value) == f"It is {problem}."


async def test_a_refused_token_ends_the_command_with_one_sentence(
    clinic: Simulator, end: LineEnd, tmp_path: Path
) -> None:
    end.refusals.append((401, "agent-unknown"))
    assert await exit_of(end, clinic, tmp_path, "") == (3, "It is agent-unknown.")


@pytest.mark.parametrize(
    ("server", "token", "source", "code"),
    [
        ("http://example.com", "t", "simulator:http://127.0.0.1:1", 2),
        ("https://example.com", "", "simulator:http://127.0.0.1:1", 2),
        ("https://example.com", None, "simulator:http://127.0.0.1:1", 2),
        ("https://example.com", "t", "paper:drawer", 6),
        ("http://127.0.0.1:1", "t", "simulator:http://127.0.0.1:1", 6),
    ],
)
def test_a_wrong_command_ends_with_one_sentence(
    server: str, token: str | None, source: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if token is not None:
        (tmp_path / "token").write_text(token)
    with pytest.raises(SystemExit) as end:
        main(
            [
                f"--server={server}",
                f"--token-file={tmp_path / 'token'}",
                f"--source={source}",
                "--once",
                f"--folder={tmp_path / 'f'}",
            ]
        )
    assert end.value.code == code
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.endswith((".", ")."))


def test_two_agents_do_not_share_a_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(FolderTaken, match="Another agent uses the folder"):
        Folder(tmp_path)
    folder.close()
    Folder(tmp_path).close()


async def test_told_to_stop_it_says_goodbye_and_leaves_a_folder_that_only_its_owner_reads(
    end: LineEnd, clinic: Simulator, tmp_path: Path
) -> None:
    with agent_process(end.url, "t", clinic, tmp_path) as agent:
        await end.quiet(20)
        assert await asyncio.to_thread(agent.stop) == 0
    assert end.goodbyes == 1
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


async def test_no_name_phone_or_note_is_logged(end: LineEnd, clinic: Simulator, tmp_path: Path) -> None:
    body = protocol.CreateClient(
        first_name="Ophelia", last_name="Quartermaine", phone="+12125550199", notes=marker("LOG") + " private words"
    )
    clinic.order("refused", on="create_client")
    with agent_process(end.url, "t", clinic, tmp_path, options="--log-level=debug") as agent:
        await end.quiet(20)
        for _ in range(2):
            await end.result(end.ask("create_client", body, key="LOG"))
        await end.result(end.ask("find_clients", protocol.FindClients(phone="+12125550199")))
        await asyncio.to_thread(agent.stop)
        said = agent.said()
    names = {row.last_name for row in clinic.clients() if len(row.last_name) > 4}
    assert "create_client" in said
    assert [word for word in (*names, "Ophelia", "5550199", "private words") if word in said] == []
