"""Anything in any order, over HTTP: clients, staff, the PIMS, a worker and crashes at a practice that is nearly full.

After every step the database is read past the application and held to what must always be true. A small sample by
default, the whole with `VETSLOT_PROVE=1` (`make prove`). What each step does is chosen by numbers alone, never by what
there happens to be, so that a failure can be told again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from booking.contacts import Contact
from tests.booking.api.calls import V1
from tests.booking.api.elm_corner import DAYS, SAM, Answer, ElmCorner, World, world_around
from tests.booking.test_races import SHADOW

# Where one dependency of a request fails, Litestar forgets about those that it had not begun with.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'resolve_dependency' was never awaited:RuntimeWarning")

PROVE = os.environ.get("VETSLOT_PROVE") == "1"
WHOLE = settings(
    max_examples=300 if PROVE else 10,
    stateful_step_count=50 if PROVE else 25,
    deadline=None,
    derandomize=not PROVE,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
QUICK = settings(WHOLE, max_examples=60, stateful_step_count=20, phases=[Phase.generate])

NTH = st.integers(0, 40)
TYPE = st.sampled_from(["exam", "dental", "boarding"])
DAY = st.integers(0, DAYS - 1)
MINUTE = st.sampled_from([0, 15, 30, 45, 60, 90, 120, 150])
CUT = st.one_of(st.just(0), st.just(0), st.integers(1, 45))
WHEN = st.sampled_from(["asked", "answered"])
COLUMNS = st.sampled_from([("ada",), ("lin",), ("ada", "room"), ("lin", "room"), ("room",)])

CHANGEABLE = ("booked", "confirmed")
TAKES_NOTHING = ("cancelled", "no_show")
STATES = {"queued", "sending", "written", "unknown", "needs_attention", "superseded"}
CAPACITY = {"kennel": 2}
CREATED = {"C": "client", "P": "patient"}


@dataclass
class AHold:
    """A hold that a client was given. `surely`: nothing came between since, so that its booking must succeed."""

    id: str
    secret: str
    type: str
    patients: int
    surely: bool = True
    ended: bool = False


@dataclass
class ABooking:
    """A booking as its client, or staff, sent it; accepted once it has a reference. `stands`: status and start."""

    path: str
    body: dict[str, Any]
    token: str
    key: str
    new: int
    new_client: bool
    reference: str = ""
    manage_token: str = ""
    visits: list[str] = field(default_factory=list)
    stands: tuple[str, str] | None = None
    uncertain: tuple[str, str] | None = None


class Practice(RuleBasedStateMachine):
    """What happens at Elm Corner. `world` is set by the test that runs it."""

    world: ClassVar[World]

    @initialize()
    def open(self) -> None:
        """Begin with an empty schedule."""
        self.elm: ElmCorner = self.run(self.world.open_elm_corner())
        self.sam = self.run(self.world.session(self.elm, SAM))
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.holds: list[AHold] = []
        self.bookings: list[ABooking] = []
        self.pending: list[ABooking] = []
        self.block_offs: list[str] = []
        self.numbers = 0
        self.version = 0
        self.hold_and_book("exam", 0, "sam", 0, "asked")
        self.look("boarding", 2)

    # The ways to ask.

    def run(self, work: Any) -> Any:  # noqa: ANN401 - whatever the work comes to
        return self.world.run(work)

    def call(self, method: str, path: str, body: object = None, **how: Any) -> Answer:  # noqa: ANN401 - passed on
        return self.world.run(self.world.call(method, path, body, **how))

    def crashing(self, cut: int, when: Any, method: str, path: str, body: object = None, **how: Any) -> Answer:  # noqa: ANN401
        """Call, and lose the connection to the database at that round trip, unless it is 0 or never comes."""
        self.world.proxy.cut_at(cut, when)
        try:
            return self.call(method, path, body, crash=cut > 0, **how)
        finally:
            self.world.proxy.cut_at(0, when)

    def settled(self, method: str, path: str, body: object = None, **how: Any) -> Answer:  # noqa: ANN401 - passed on
        """Send the same again until it is answered for good, as a client does who was told to come again."""
        for _ in range(100):
            answer = self.call(method, path, body, crash=True, **how)
            if answer.status != 503 and answer.code != "idempotency-key-busy":
                return answer
            self.run(asyncio.sleep(0.02))
        raise AssertionError("It never was answered.")

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def disturb(self) -> None:
        """The practice changed something: what was free, or held, may be closed now."""
        for one in self.holds:
            one.surely = False

    def slots(self, type_: str, patients: int = 1) -> list[dict[str, Any]]:
        first = self.elm.first_day
        query = (
            f"appointmentType={self.elm.types[type_]}&from={first}&to={first + timedelta(days=DAYS - 1)}"
            f"&patients={','.join(['dog'] * patients)}"
        )
        answer = self.call("GET", f"{self.elm.path}/slots?{query}")
        assert answer.status == 200, answer
        return [slot for day in answer.body["days"] for slot in day["slots"]]

    # Clients.

    @rule(type_=TYPE, patients=st.integers(1, 2))
    def look(self, type_: str, patients: int) -> None:
        self.seen += [(type_, slot | {"patients": patients}) for slot in self.slots(type_, patients)[::3]]
        self.seen = self.seen[-60:]

    @rule(nth=NTH, cut=CUT, when=WHEN)
    def hold_what_was_seen(self, nth: int, cut: int, when: str) -> None:
        if self.seen:
            type_, slot = self.seen[-1 - nth % len(self.seen)]
            answer = self.crashing(cut, when, "POST", f"{self.elm.path}/holds", {"slotToken": slot["token"]})
            self.keep_hold(answer, type_, slot["patients"])

    @rule(type_=TYPE, day=DAY, minute=st.sampled_from([0, 7, 30, 45, 170, 200]))
    def hold_a_time_of_ones_own(self, type_: str, day: int, minute: int) -> None:
        wanted = {"appointmentType": str(self.elm.types[type_]), "start": self.elm.at(day, minute).isoformat()}
        answer = self.call("POST", f"{self.elm.path}/holds", wanted)
        assert answer.status == 409 or minute in (0, 30, 45)
        self.keep_hold(answer, type_, 1)

    @rule(type_=TYPE, nth=NTH)
    def hold_all_at_once(self, type_: str, nth: int) -> None:
        """Six clients want times that overlap, at one moment; invariants say who may have them."""
        slots = self.slots(type_)
        wanted = [{"slotToken": slots[(nth + later) % len(slots)]["token"]} for later in (0, 0, 0, 0, 1, 2) if slots]

        async def race() -> list[Answer]:
            return await asyncio.gather(*(self.world.call("POST", f"{self.elm.path}/holds", one) for one in wanted))

        answers = self.run(race())
        assert not answers or 201 in {one.status for one in answers}
        for answer in answers:
            self.keep_hold(answer, type_, 1)

    def keep_hold(self, answer: Answer, type_: str, patients: int) -> None:
        assert answer.status in (201, 409, 503), answer
        if answer.status == 201:
            self.holds.append(AHold(answer.body["id"], answer.body["secret"], type_, patients))

    def a_hold(self, nth: int) -> AHold | None:
        return self.holds[-1 - nth % len(self.holds)] if self.holds else None

    @rule(nth=NTH)
    def extend(self, nth: int) -> None:
        held = self.a_hold(nth)
        if held is not None:
            self.call("POST", f"{V1}/holds/{held.id}/extend", token=held.secret)

    @rule(nth=NTH)
    def let_a_hold_expire(self, nth: int) -> None:
        held = self.a_hold(nth)
        if held is not None:
            held.surely = False
            past = "UPDATE hold SET expires_at = now() - interval '1 second' WHERE hold_id = $1"
            self.run(self.world.execute(past, UUID(held.id)))
            self.run(self.raise_version())

    async def raise_version(self) -> None:
        """Time passes without a word to anybody; answers that were kept for this minute are to forget it."""
        await self.world.execute(
            "UPDATE practice SET schedule_version = schedule_version + 1 WHERE practice_id = $1",
            self.elm.practice.practice_id,
        )

    @rule(nth=NTH)
    def let_go(self, nth: int) -> None:
        held = self.a_hold(nth)
        if held is not None:
            answer = self.call("DELETE", f"{V1}/holds/{held.id}", token=held.secret)
            assert answer.status == (404 if held.ended else 204), answer
            held.ended, held.surely = True, False

    @rule(nth=NTH, who=st.sampled_from(["sam", "sam", "somebody new"]), more=st.booleans(), cut=CUT, when=WHEN,
          at_once=st.booleans())  # fmt: skip
    def book(self, nth: int, who: str, more: bool, cut: int, when: str, at_once: bool) -> None:  # noqa: FBT001
        """Book a hold, now and then for one patient more than it was made for, or with its answer lost."""
        held = self.a_hold(nth)
        if held is None:
            return
        count = held.patients + (more and not held.surely)
        token, patients, new = self.sam, [{"type": "existing", "id": str(self.elm.bo)}], 0
        whom: dict[str, Any] = {}
        if who == "sam":
            whom = {"client": str(self.elm.sam)}
        else:
            contact = Contact(kind="email", value=f"new{self.number()}@example.com")
            token = self.run(self.world.session(self.elm, contact))
            whom = {"newClient": {"givenName": "Noor", "familyName": "Haddad"}}
            patients = []
        while len(patients) < count:
            patients.append({"type": "new", "name": f"Pet {self.number()}", "species": "dog"})
            new += 1
        body = {"hold": held.id, "holdSecret": held.secret, "patients": patients[:count]} | whom
        sent = ABooking(f"{self.elm.path}/bookings", body, token, f"key {self.number()}", new, "newClient" in whom)
        answer = self.crashing(cut, when, "POST", sent.path, sent.body, token=sent.token, key=sent.key)
        if answer.status == 503 and not at_once:
            held.surely = False
            self.pending.append(sent)
            return
        if answer.status == 503:
            answer = self.settled("POST", sent.path, sent.body, token=sent.token, key=sent.key)
        assert answer.status == 201 or not held.surely, answer
        self.accept(sent, answer)
        if answer.status == 201:
            held.ended, held.surely = True, False

    @rule(type_=TYPE, nth=NTH, who=st.sampled_from(["sam", "somebody new"]), cut=CUT, when=WHEN)
    def hold_and_book(self, type_: str, nth: int, who: str, cut: int, when: str) -> None:
        slots = self.slots(type_)
        if slots:
            answer = self.call("POST", f"{self.elm.path}/holds", {"slotToken": slots[nth % len(slots)]["token"]})
            assert answer.status == 201, answer
            self.keep_hold(answer, type_, 1)
            self.book(0, who, False, cut, when, True)

    def accept(self, sent: ABooking, answer: Answer) -> None:
        if answer.status != 201:
            assert answer.status in (404, 409, 422), answer
            return
        sent.reference = answer.body["reference"]
        sent.manage_token = answer.body.get("manageToken", "")
        sent.visits = [one["id"] for one in answer.body["visits"]]
        assert len(sent.visits) == len(sent.body["patients"])
        sent.stands = answer.body["status"], answer.body["start"]
        assert sent.reference not in {one.reference for one in self.bookings}
        self.bookings.append(sent)

    @rule()
    def come_back_after_a_lost_answer(self) -> None:
        for sent in self.pending:
            self.accept(sent, self.settled("POST", sent.path, sent.body, token=sent.token, key=sent.key))
        for one in self.holds:
            one.ended = one.ended or one.id in {sent.body.get("hold") for sent in self.pending if sent.reference}
        self.pending = []
        self.refresh()

    def a_booking(self, nth: int) -> ABooking | None:
        return self.bookings[-1 - nth % len(self.bookings)] if self.bookings else None

    @rule(nth=NTH, otherwise=st.booleans())
    def send_again(self, nth: int, otherwise: bool) -> None:  # noqa: FBT001
        one = self.a_booking(nth)
        if one is not None:
            body = one.body | {"reason": "Something else"} if otherwise else one.body
            answer = self.call("POST", one.path, body, token=one.token, key=one.key)
            if otherwise:
                assert answer.code == "idempotency-key-reused", answer
            else:
                assert (answer.status, answer.body["reference"]) == (201, one.reference), answer

    @rule(nth=NTH, slot=NTH, cut=CUT, when=WHEN, manage=st.booleans())
    def reschedule(self, nth: int, slot: int, cut: int, when: str, manage: bool) -> None:  # noqa: FBT001
        one = self.a_booking(nth)
        if one is not None and one.manage_token and self.seen:
            start = self.seen[-1 - slot % len(self.seen)][1]["start"]
            self.change(one, cut, when, "reschedule", {"start": start}, one.manage_token if manage else one.token)

    @rule(nth=NTH, what=st.sampled_from(["cancel", "confirm"]), cut=CUT, when=WHEN)
    def cancel_or_confirm(self, nth: int, what: str, cut: int, when: str) -> None:
        one = self.a_booking(nth)
        if one is not None and one.manage_token:
            self.change(one, cut, when, what, None, one.manage_token)

    def change(self, one: ABooking, cut: int, when: str, what: str, body: object, token: str) -> None:
        """Change a booking; after a lost answer it stands as before or as asked for, and it is sent again."""
        path, before = f"{V1}/bookings/{one.reference}", one.stands
        answer = self.crashing(cut, when, "POST", f"{path}/{what}", body, token=token)
        if answer.status == 503:
            answer = self.settled("POST", f"{path}/{what}", body, token=token)
        if answer.status == 200:
            assert answer.body["reference"] == one.reference
            one.stands = answer.body["status"], answer.body["start"]
            wanted = {"cancel": "cancelled", "confirm": "confirmed"}.get(what)
            assert wanted in (None, answer.body["status"])
            assert not isinstance(body, dict) or one.stands[1] == body["start"]
        else:
            assert answer.status in (409, 422), answer
            shown = self.settled("GET", path, token=token)
            assert (shown.body["status"], shown.body["start"]) == before

    @rule(wrong=st.integers(0, 2))
    def prove_a_contact(self, wrong: int) -> None:
        """Let Sam ask for a code, mistype it, enter it, and find Bo."""
        asked = self.call("POST", f"{self.elm.path}/verifications", {"email": SAM.value})
        if asked.status == 429:
            return
        assert asked.status == 202, asked
        (row,) = self.run(
            self.world.rows(
                "SELECT body FROM message WHERE practice_id = $1 AND purpose = 'code' ORDER BY position DESC LIMIT 1",
                self.elm,
            )
        )
        code = row["body"][:6]
        path = f"{V1}/verifications/{asked.body['id']}/check"
        for _ in range(wrong):
            mistyped = self.call("POST", path, {"code": f"{(int(code) + 1) % 10**6:06}"})
            assert mistyped.code == "code-wrong", mistyped
        proven = self.call("POST", path, {"code": code})
        assert proven.status == 200, proven
        assert proven.body["client"]["accounts"][0]["id"] == str(self.elm.sam)
        assert self.call("POST", path, {"code": code}).code == "code-expired"

    # Staff.

    @rule(type_=TYPE, nth=NTH, cut=CUT, when=WHEN)
    def staff_book(self, type_: str, nth: int, cut: int, when: str) -> None:
        slots = self.slots(type_)
        if not slots:
            return
        body = {
            "appointmentType": str(self.elm.types[type_]),
            "start": slots[nth % len(slots)]["start"],
            "client": str(self.elm.sam),
            "patients": [{"type": "existing", "id": str(self.elm.bo)}],
        }
        sent = ABooking(f"{V1}/staff/appointments", body, self.elm.staff_key, f"key {self.number()}", 0, False)
        answer = self.crashing(cut, when, "POST", sent.path, sent.body, token=sent.token, key=sent.key)
        if answer.status == 503:
            answer = self.settled("POST", sent.path, sent.body, token=sent.token, key=sent.key)
        assert answer.status == 201, answer
        self.accept(sent, answer)

    @rule(nth=NTH, what=st.sampled_from(["cancel", "reschedule", "arrived", "no_show"]), slot=NTH)
    def staff_change(self, nth: int, what: str, slot: int) -> None:
        one = self.a_booking(nth)
        if one is None or (what == "reschedule" and not self.seen):
            return
        path = f"{V1}/staff/appointments/{one.visits[0]}"
        body: dict[str, Any] | None = None
        if what == "reschedule":
            body = {"start": self.seen[-1 - slot % len(self.seen)][1]["start"]}
        elif what != "cancel":
            path, body = f"{path}/status", {"status": what}
        answer = self.call(
            "POST", path if path.endswith("status") else f"{path}/{what}", body, token=self.elm.staff_key
        )
        assert answer.status in (200, 409, 422), answer
        self.refresh()

    @rule(name=st.sampled_from(["ada", "lin", "room", "kennel"]), day=DAY, minute=MINUTE)
    def block_off(self, name: str, day: int, minute: int) -> None:
        starts = self.elm.at(day, minute).astimezone(UTC) - timedelta(hours=7)  # Phoenix, all year
        body = {
            "resourceId": str(self.elm.resources[name]),
            "time": {"starts": starts.replace(tzinfo=None).isoformat(), "duration": "PT1800S"},
        }
        path = f"{V1}/staff/configuration/block-offs"
        answer = self.call("POST", path, body, token=self.elm.staff_key, key=f"key {self.number()}")
        assert answer.status == 201, answer
        self.block_offs.append(answer.body["entry"]["id"])
        self.disturb()

    @rule()
    def take_a_block_off_away(self) -> None:
        if self.block_offs:
            path = f"{V1}/staff/configuration/block-offs/{self.block_offs.pop()}/retire"
            assert self.call("POST", path, token=self.elm.staff_key).status == 200

    @rule(hours=st.integers(1, 3))
    def change_the_kennels_hours(self, hours: int) -> None:
        path = f"{V1}/staff/configuration/resources/{self.elm.resources['kennel']}"
        found = self.call("GET", path, token=self.elm.staff_key).body["settings"]
        found["hours"][0]["duration"] = f"PT{hours * 3600}S"
        answer = self.call("PUT", path, found, token=self.elm.staff_key)
        assert answer.status == 200, answer
        self.disturb()

    # The PIMS and the worker.

    @rule(day=DAY, minute=MINUTE, columns=COLUMNS)
    def the_pims_books(self, day: int, minute: int, columns: tuple[str, ...]) -> None:
        """Staff write on the schedule of their PIMS, whatever stands there; we read it later, or at once."""
        self.elm.pims.staff_book(self.elm.at(day, minute), timedelta(minutes=30), columns)

    @rule(nth=NTH, what=st.sampled_from(["move", "cancel", "arrive", "delete"]), day=DAY, minute=MINUTE)
    def the_pims_changes(self, nth: int, what: str, day: int, minute: int) -> None:
        there = self.elm.pims.appointments
        if not there:
            return
        one, start = there[nth % len(there)], self.elm.at(day, minute)
        match what:
            case "move":
                self.elm.pims.staff_change(one, start=start, end=start + (one.end - one.start))
            case "cancel":
                self.elm.pims.staff_change(one, status="cancelled")
            case "arrive":
                self.elm.pims.staff_change(one, status="arrived")
            case _:
                self.elm.pims.staff_delete(one)

    @rule()
    def sync_in(self) -> None:
        self.run(self.world.sync(self.elm))
        self.disturb()
        self.refresh()

    @rule(read=st.booleans())
    def write_back(self, read: bool) -> None:  # noqa: FBT001
        self.run(self.world.deliver(self.elm))
        assert set(self.elm.pims.made.values()) <= {1}, "Something was written to the PIMS twice."
        if read:
            self.sync_in()

    @rule(type_=TYPE, nth=NTH)
    def postgresql_drops_everybody(self, type_: str, nth: int) -> None:
        """End all sessions while two clients are served; neither is told anything but success or 503."""
        slots = self.slots(type_)
        if not slots:
            return
        wanted = {"slotToken": slots[nth % len(slots)]["token"]}

        async def meanwhile() -> list[Answer]:
            calls = [
                asyncio.create_task(self.world.call("POST", f"{self.elm.path}/holds", wanted, crash=True))
                for _ in range(2)
            ]
            await asyncio.sleep(nth / 2000)
            await self.world.drop_connections()
            return list(await asyncio.gather(*calls))

        for answer in self.run(meanwhile()):
            self.keep_hold(answer, type_, 1)

    def refresh(self) -> None:
        """Take note of how bookings stand after staff or the PIMS changed them: that they may."""
        found = {row["reference"]: row for row in self.run(self.world.rows(FIRST_VISITS, self.elm))}
        for one in self.bookings:
            row = found[one.reference]
            one.stands = row["status"], _instant(row["starts_at"])

    # What must always be true.

    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "elm"):
            self.run(self.look_behind())
            type_ = ("exam", "dental", "boarding")[self.numbers % 3]
            self.numbers += 1
            self.what_is_offered_can_be_held(type_, self.numbers)

    async def look_behind(self) -> None:
        elm, rows = self.elm, self.world.rows
        appointments = {row["appointment_id"]: row for row in await rows(APPOINTMENTS, elm)}
        holds = {row["hold_id"]: row for row in await rows(HOLDS, elm)}
        claims = await rows(CLAIMS, elm)
        kennel = elm.resources["kennel"]

        taken: defaultdict[tuple[UUID, int], list[Any]] = defaultdict(list)
        for row in claims:
            for other in taken[row["resource_id"], row["lane"]]:
                overlap = row["starts_at"] < other["ends_at"] and other["starts_at"] < row["ends_at"]
                assert not overlap, "A lane is claimed twice."
            taken[row["resource_id"], row["lane"]].append(row)

        claimed: defaultdict[UUID, dict[UUID, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for row in claims:
            holder = row["hold_id"] or row["appointment_id"]
            claimed[holder][row["resource_id"]].append((row["starts_at"], row["ends_at"]))
            by_pims = row["appointment_id"] and "resource" in self.serving(appointments[row["appointment_id"]])
            most = 2 if row["resource_id"] == kennel else 1
            assert by_pims or row["lane"] <= most, "We gave more than there is."
        last = Counter(row["reference"] for row in appointments.values() if row["reference"])
        for id_, row in appointments.items():
            expected = {} if row["status"] in TAKES_NOTHING else self.expected(row, last[row["reference"]])
            assert {one: _merged(spans) for one, spans in claimed[id_].items()} == expected, (
                f"A {row['status']} visit does not claim what it says it takes."
            )
        for id_, row in holds.items():
            if row["live"]:
                expected = self.expected(row, 1)
                assert {one: _merged(spans) for one, spans in claimed[id_].items()} == expected, "A hold lost its time."
        self.every_booking_is_there_once(
            list(appointments.values()), await rows(WRITE_BACKS, elm), await rows(KEPT, elm)
        )
        (version,) = await rows("SELECT schedule_version FROM practice WHERE practice_id = $1", elm)
        assert version[0] >= self.version, "The schedule's version fell."
        self.version = version[0]

    def serving(self, row: Any) -> dict[str, list[str]]:  # noqa: ANN401 - a row
        """Return role → resource ids; the PIMS knows no roles."""
        said: dict[str, list[str]] = row["resources"]
        if not said and row["source"] == "pims":
            columns = row["pims_said"]["resources"]
            said = {"resource": [str(self.elm.resources[one]) for one in columns]}
        return said

    def expected(self, row: Any, visits: int) -> dict[UUID, list[tuple[datetime, datetime]]]:  # noqa: ANN401 - a row
        """Return what a hold or an appointment is to claim: its time and, of a booking's last visit, the buffer."""
        serving, end = self.serving(row), row["ends_at"]
        if "resource" not in serving and row["visit"] == visits:
            end += row["buffer_after"]
        ids = {UUID(one) for each in serving.values() for one in each}
        return {one: [(row["starts_at"], end)] for one in ids}

    def every_booking_is_there_once(self, appointments: list[Any], write_backs: list[Any], kept: list[Any]) -> None:
        ours: defaultdict[str, list[Any]] = defaultdict(list)
        for row in appointments:
            if row["source"] != "pims":
                ours[row["reference"]].append(row)
        answers = {row["key"]: row["answer"] for row in kept}
        accepted = {one.reference for one in self.bookings}
        unheard = {answers[one.key] for one in self.pending if one.key in answers}
        assert accepted | unheard == set(ours), "A booking is lost, or there is one that nobody made."
        outbox: defaultdict[UUID, Counter[tuple[str, str]]] = defaultdict(Counter)
        for row in write_backs:
            assert row["state"] in STATES
            if row["action"] == "create":
                outbox[row["appointment_id"]][row["kind"], row["key"]] += 1
        for one in self.bookings:
            visits = sorted(ours[one.reference], key=lambda row: row["visit"])
            assert [str(row["appointment_id"]) for row in visits] == one.visits, "A booking is there in part, or twice."
            assert one.stands == (visits[0]["status"], _instant(visits[0]["starts_at"])), "A booking stands otherwise."
            lines = sum((outbox[row["appointment_id"]] for row in visits), Counter())
            kinds = Counter(kind for kind, _ in lines.elements())
            assert set(lines.values()) == {1}, "The same is written back twice."
            assert kinds == +Counter(appointment=len(visits), patient=one.new, client=int(one.new_client))

    def what_is_offered_can_be_held(self, type_: str, nth: int) -> None:
        slots = self.slots(type_)
        if slots:
            slot = slots[nth % len(slots)]
            answer = self.call("POST", f"{self.elm.path}/holds", {"slotToken": slot["token"]})
            assert answer.status == 201, f"What is offered cannot be held: {answer}"
            assert (answer.body["start"], answer.body["end"]) == (slot["start"], slot["end"])
            let_go = self.call("DELETE", f"{V1}/holds/{answer.body['id']}", token=answer.body["secret"])
            assert let_go.status == 204

    def teardown(self) -> None:
        """Hear the answers that were lost, and look once more, unless something is wrong already."""
        if hasattr(self, "elm") and sys.exc_info()[0] is None:
            self.come_back_after_a_lost_answer()
            self.all_is_well()


FIRST_VISITS = "SELECT reference, status, starts_at FROM appointment WHERE practice_id = $1 AND visit = 1"
APPOINTMENTS = """
SELECT a.*, coalesce(t.buffer_after, '0') AS buffer_after
FROM appointment a LEFT JOIN appointment_type t USING (practice_id, appointment_type_id) WHERE practice_id = $1
"""
HOLDS = """
SELECT h.*, t.buffer_after, expires_at > now() + interval '1 second' AS live, 'online' AS source, 1 AS visit
FROM hold h JOIN appointment_type t USING (practice_id, appointment_type_id) WHERE practice_id = $1
"""
CLAIMS = "SELECT * FROM claim WHERE practice_id = $1"
WRITE_BACKS = "SELECT * FROM write_back WHERE practice_id = $1"
KEPT = "SELECT key, answer FROM idempotency WHERE practice_id = $1 AND answer IS NOT NULL"


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Join spans that touch; such as overlap stay apart, and so are found."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and merged[-1][1] == start:
            merged[-1] = merged[-1][0], end
        else:
            merged.append((start, end))
    return merged


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
def world(database_url: str, redis_url: str) -> Iterator[World]:
    """Return the application, over a network that can be cut."""
    with world_around(database_url, redis_url) as world:
        yield world


def run_practice(world: World, how: settings) -> None:
    machine = type("AtElmCorner", (Practice,), {"world": world})
    run_state_machine_as_test(machine, settings=how)


def test_whatever_happens_in_whatever_order_all_that_must_be_true_is_true(world: World) -> None:
    run_practice(world, WHOLE)


# What a cancelled visit claimed stays claimed; the schedule's version stays what it is.
KEEPS_CLAIMS = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RETURN CASE
      WHEN (SELECT status FROM appointment WHERE appointment_id = OLD.appointment_id) = 'cancelled' THEN NULL
      ELSE OLD END;
  END $$;
CREATE TRIGGER keep BEFORE DELETE ON claim FOR EACH ROW EXECUTE FUNCTION keep();
"""
KEEPS_VERSION = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.schedule_version = OLD.schedule_version; RETURN NEW; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON practice FOR EACH ROW EXECUTE FUNCTION keep();
"""
TAKES_TWICE = "ALTER TABLE claim DROP CONSTRAINT claim_never_overlaps;" + SHADOW


@pytest.mark.parametrize(
    ("breaking", "found"),
    [
        pytest.param(TAKES_TWICE, "claimed twice|more than there is", id="no constraint and no lock"),
        pytest.param(KEEPS_CLAIMS, "does not claim what it says|cannot be held", id="cancelling frees nothing"),
        pytest.param(KEEPS_VERSION, "cannot be held", id="old answers are not forgotten"),
    ],
)
def test_where_a_guard_is_broken_it_is_found(database_url: str, redis_url: str, breaking: str, found: str) -> None:
    """Prove that these steps and invariants find what goes wrong, each guard taken away by itself."""
    database = database_url.rsplit("/", 1)[1]
    asyncio.run(_execute(database_url, breaking.replace("{database}", database)))
    with world_around(database_url, redis_url) as world, pytest.raises(AssertionError, match=found):
        run_practice(world, QUICK)


async def _execute(database_url: str, statements: str) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute(statements)
    await conn.close()
