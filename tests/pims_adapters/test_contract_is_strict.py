"""The contract suite notices: each of these adapters breaks one promise, and that promise's test fails.

They are adapters of the demo PIMS with one thing wrong, so that the suite has nothing else to find.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import ClassVar

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    ChangePage,
    Client,
    ClientDraft,
    CursorExpired,
    Kind,
    Listing,
    Patient,
    PimsAdapter,
    PimsError,
    PimsMisconfigured,
    PimsRejected,
    PimsUnavailable,
    RecordKind,
)
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.exchange import Exchange
from tests.pims_adapters.demo.peer import DemoPeer
from tests.pims_adapters.promises.every import PROMISES


class PeerOfTheBroken(DemoPeer):
    """The demo PIMS, to which broken adapters are opened."""

    broken: type[DemoAdapter] = DemoAdapter

    def connect_by(self, settings: dict[str, str]) -> PimsAdapter:
        if issubclass(self.broken, TakesAnySettings):
            settings = {name: settings.get(name, "x") for name in ("url", "key")}
        if issubclass(self.broken, WaitsForEver):
            settings = settings | {"timeout_seconds": "20"}
        return self.broken(Exchange.of(settings))


class ForgetsTheKey(DemoAdapter):
    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        return await super().create_appointment(draft, key + " of mine")


class FindsWhatIsNotThere(DemoAdapter):
    async def find(self, kind: Kind, key: str) -> str | None:
        return await super().find(kind, key) or "appt-00001"


class FindsNothing(DemoAdapter):
    async def find(self, kind: Kind, key: str) -> str | None:  # noqa: ARG002
        return None


class Doubles(DemoAdapter):
    async def create_client(self, draft: ClientDraft, key: str) -> str:
        first = await super().create_client(draft, key)
        await super().create_client(draft, key)
        return first


class SendsAgain(DemoAdapter):
    async def create_client(self, draft: ClientDraft, key: str) -> str:
        try:
            return await super().create_client(draft, key)
        except PimsUnavailable:
            return await super().create_client(draft, key)


class ReadsTheWrongRecord(DemoAdapter):
    first: str | None = None

    async def read(self, kind: Kind, pims_id: str) -> Client | Patient | Appointment | None:
        self.first = self.first or pims_id
        return await super().read(kind, self.first)


class ReadsBackWhatItSent(DemoAdapter):
    """Without looking into the PIMS."""

    sent: ClassVar[dict[str, Appointment]] = {}

    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        pims_id = await super().create_appointment(draft, key)
        self.sent[pims_id] = Appointment(
            pims_id=pims_id, start=draft.start, end=draft.end, resources=draft.resources, marker=key
        )
        return pims_id

    async def read(self, kind: Kind, pims_id: str) -> Client | Patient | Appointment | None:
        return self.sent.get(pims_id) or await super().read(kind, pims_id)


class ForgetsTheCursor(DemoAdapter):
    async def changes(self, feed: str, cursor: str | None) -> ChangePage:
        if cursor is not None:
            await super().changes(feed, cursor)
        return await super().changes(feed, None)


class BeginsAnewWhereACursorExpired(DemoAdapter):
    async def changes(self, feed: str, cursor: str | None) -> ChangePage:
        try:
            return await super().changes(feed, cursor)
        except CursorExpired:
            return await super().changes(feed, None)


class LosesTheLastOfEachPage(DemoAdapter):
    async def changes(self, feed: str, cursor: str | None) -> ChangePage:
        page = await super().changes(feed, cursor)
        return replace(page, changes=page.changes[:-1])


class RepeatsTheFirstOfEachPage(DemoAdapter):
    async def changes(self, feed: str, cursor: str | None) -> ChangePage:
        page = await super().changes(feed, cursor)
        return replace(page, changes=page.changes[:1] + page.changes)


class DeniesThatItMayHaveHappened(DemoAdapter):
    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        try:
            return await super().create_appointment(draft, key)
        except PimsUnavailable as failure:
            raise PimsUnavailable(str(failure), outcome_unknown=False) from None


class DoubtsEverything(DemoAdapter):
    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        try:
            return await super().create_appointment(draft, key)
        except PimsUnavailable as failure:
            raise PimsUnavailable(str(failure), outcome_unknown=True) from None

    async def find(self, kind: Kind, key: str) -> str | None:
        try:
            return await super().find(kind, key)
        except PimsUnavailable as failure:
            raise PimsUnavailable(str(failure), outcome_unknown=True) from None


class TakesRefusalsForOutages(DemoAdapter):
    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        try:
            return await super().create_appointment(draft, key)
        except PimsRejected as refused:
            raise PimsUnavailable(str(refused), outcome_unknown=False) from None


class TakesStrangersForOutages(DemoAdapter):
    async def find(self, kind: Kind, key: str) -> str | None:
        try:
            return await super().find(kind, key)
        except PimsMisconfigured as wrong:
            raise PimsUnavailable(str(wrong), outcome_unknown=False) from None


class SwallowsOutages(DemoAdapter):
    """Says that there is nothing, where nobody answered."""

    async def find(self, kind: Kind, key: str) -> str | None:
        try:
            return await super().find(kind, key)
        except PimsUnavailable:
            return None


class LetsOtherErrorsOut(DemoAdapter):
    async def changes(self, feed: str, cursor: str | None) -> ChangePage:
        try:
            return await super().changes(feed, cursor)
        except PimsUnavailable as failure:
            raise ConnectionError(str(failure)) from None


class NamesPeopleInErrors(DemoAdapter):
    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        try:
            return await super().create_appointment(draft, key)
        except PimsError as failure:
            raise type(failure)(f"{failure} It was about {draft.description}.") from None


class NamesPeopleInCauses(DemoAdapter):
    async def create_appointment(self, draft: AppointmentDraft, key: str) -> str:
        try:
            return await super().create_appointment(draft, key)
        except PimsRejected as refused:
            raise PimsRejected(str(refused), taken=refused.taken) from ValueError(draft.description)


class TakesAnySettings(DemoAdapter):
    pass


class WaitsForEver(DemoAdapter):
    pass


class ClosesOnce(DemoAdapter):
    closed = False

    async def close(self) -> None:
        assert not self.closed, "already closed"
        self.closed = True
        await super().close()


class PretendsToCancel(DemoAdapter):
    async def cancel_appointment(self, pims_id: str, key: str) -> None:
        pass


class MovesByMakingAnother(DemoAdapter):
    async def change_appointment(self, pims_id: str, draft: AppointmentDraft, key: str) -> None:
        shown = await self.read("appointment", pims_id)
        assert isinstance(shown, Appointment)
        await self.cancel_appointment(pims_id, key)
        await self.create_appointment(draft, shown.marker or "")


class ConfirmsOnce(DemoAdapter):
    async def confirm_appointment(self, pims_id: str, key: str) -> None:
        shown = await self.read("appointment", pims_id)
        if isinstance(shown, Appointment) and shown.status == "confirmed":
            raise PimsRejected("It is confirmed already.")
        await super().confirm_appointment(pims_id, key)


class ChangesWhatIsGone(DemoAdapter):
    async def cancel_appointment(self, pims_id: str, key: str) -> None:
        if await self.read("appointment", pims_id) is not None:
            await super().cancel_appointment(pims_id, key)


class ListsNothing(DemoAdapter):
    async def listing(self, kind: RecordKind, first: date, last: date) -> Listing:  # noqa: ARG002
        as_of = (await self.changes("everything", None)).as_of
        return Listing(records=[], complete=True, as_of=as_of)


class HidesItsFeedsBehindAProperty(DemoAdapter):
    @property
    def feeds(self):  # type: ignore[no-untyped-def,override]  # noqa: ANN201
        return super().feeds


BROKEN: tuple[tuple[type[DemoAdapter], str], ...] = (
    (ForgetsTheKey, "what_is_created_carries_the_key_is_found_and_reads_back_equal"),
    (FindsWhatIsNotThere, "what_is_not_there_is_absent"),
    (FindsNothing, "what_is_created_carries_the_key_is_found_and_reads_back_equal"),
    (Doubles, "a_client_and_a_patient_are_created_found_and_read_back"),
    (SendsAgain, "a_new_client_that_meets_answer_lost_leaves_no_doubt_about_what_is_known"),
    (ReadsTheWrongRecord, "each_key_finds_its_own_appointment"),
    (ReadsBackWhatItSent, "what_staff_moved_is_read_where_it_stands_now"),
    (ForgetsTheCursor, "where_nothing_happened_nothing_is_new"),
    (BeginsAnewWhereACursorExpired, "a_cursor_nobody_gave_is_expired"),
    (LosesTheLastOfEachPage, "feeds_bring_every_record_exactly_once"),
    (RepeatsTheFirstOfEachPage, "feeds_bring_every_record_exactly_once"),
    (DeniesThatItMayHaveHappened, "a_creation_that_meets_answer_lost_leaves_no_doubt_about_what_is_known"),
    (DoubtsEverything, "a_creation_that_meets_rate_limited_leaves_no_doubt_about_what_is_known"),
    (DoubtsEverything, "a_read_that_meets_unavailable_leaves_nothing_unknown"),
    (TakesRefusalsForOutages, "a_time_that_staff_took_is_refused_as_taken"),
    (TakesStrangersForOutages, "a_wrong_credential_writes_and_finds_nothing"),
    (SwallowsOutages, "a_read_that_meets_reset_before_leaves_nothing_unknown"),
    (LetsOtherErrorsOut, "a_read_that_meets_unavailable_leaves_nothing_unknown"),
    (NamesPeopleInErrors, "a_creation_that_meets_refused_leaves_no_doubt_about_what_is_known"),
    (NamesPeopleInCauses, "a_time_that_staff_took_is_refused_as_taken"),
    (TakesAnySettings, "settings_that_do_not_fit_are_misconfigured"),
    (WaitsForEver, "a_creation_that_meets_slow_leaves_no_doubt_about_what_is_known"),
    (ClosesOnce, "closing_twice_is_closing"),
    (PretendsToCancel, "cancelling_twice_is_cancelling"),
    (MovesByMakingAnother, "a_move_twice_is_a_move"),
    (ConfirmsOnce, "confirming_twice_is_confirming"),
    (ChangesWhatIsGone, "what_is_no_longer_there_cannot_be_changed"),
    (ListsNothing, "what_is_created_is_listed_until_it_is_deleted"),
    (ListsNothing, "listings_are_complete_and_agree_with_the_feeds"),
    (HidesItsFeedsBehindAProperty, "every_kind_comes_in_one_feed"),
)


KEPT = sorted({name for broken, name in BROKEN if broken is not ListsNothing})


@pytest.fixture(scope="module")
async def shared_peer() -> AsyncIterator[PeerOfTheBroken]:
    async with PeerOfTheBroken.running() as peer:
        yield peer


@pytest.mark.parametrize(("broken", "name"), BROKEN, ids=[f"{one.__name__}-{name}" for one, name in BROKEN])
async def test_a_broken_adapter_fails_the_suite(
    shared_peer: PeerOfTheBroken, broken: type[DemoAdapter], name: str
) -> None:
    shared_peer.broken = broken
    async with shared_peer.connected() as adapter:
        with pytest.raises((AssertionError, pytest.fail.Exception, PimsError, ConnectionError)):
            await PROMISES[name].keep(shared_peer, adapter)
    await shared_peer.calm()


@pytest.mark.parametrize("name", KEPT)
async def test_the_adapter_they_were_made_of_passes(shared_peer: PeerOfTheBroken, name: str) -> None:
    shared_peer.broken = DemoAdapter
    async with shared_peer.connected() as adapter:
        await PROMISES[name].keep(shared_peer, adapter)
