"""What every adapter promises about its connection."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from pims_adapters import system_of
from pims_adapters.contract import (
    AppointmentDraft,
    ClientDraft,
    CreatesAppointments,
    DraftField,
    Feed,
    PatientDraft,
    PimsAdapter,
    PimsMisconfigured,
    PimsUnavailable,
    abilities_of,
)
from pims_adapters.contract.abilities import ABILITIES
from tests.pims_adapters.peers import Peer, SystemPeer
from tests.pims_adapters.promises.errors import all_that_is_said, check_words
from tests.pims_adapters.promises.made import Creates, Everything, promise


@promise()
async def check_tells_which_practice_it_is(_peer: Peer, adapter: PimsAdapter) -> None:
    checked = await adapter.check()
    assert checked.practice.pims_id
    assert checked.practice.name
    assert ZoneInfo(checked.practice.timezone).key == checked.practice.timezone
    assert checked.clock is None or checked.clock.tzinfo is not None


@promise()
async def closing_twice_is_closing(peer: Peer, _adapter: PimsAdapter) -> None:
    async with peer.connected() as adapter:
        await adapter.check()
        await adapter.close()


@promise()
async def the_type_tells_the_abilities_that_the_adapter_has(_peer: Peer, adapter: PimsAdapter) -> None:
    claimed = abilities_of(system_of(_peer.name).adapter)
    assert abilities_of(adapter) == claimed
    assert {name for name, ability in ABILITIES.items() if isinstance(adapter, ability)} == claimed


@promise()
async def every_kind_comes_in_one_feed(_peer: Peer, adapter: PimsAdapter) -> None:
    """And the type says what can come, so that the README can tell before anything is connected."""
    feeds = adapter.feeds
    assert len({feed.name for feed in feeds}) == len(feeds)
    kinds = [kind for feed in feeds for kind in feed.kinds]
    assert len(set(kinds)) == len(kinds)
    said = type(adapter).feeds
    assert isinstance(said, tuple), "`feeds` of the type is the most an adapter of it reads, not a property."
    assert set(kinds) <= {kind for feed in said for kind in feed.kinds}
    for feed in feeds:
        assert is_sensible(feed)


def is_sensible(feed: Feed) -> bool:
    if feed.at is not None:
        return f"{datetime.strptime(feed.at, '%H:%M'):%H:%M}" == feed.at  # noqa: DTZ007 - a time of day
    return feed.every > timedelta(0)


@promise()
async def settings_are_those_that_the_system_names(peer: Peer, _adapter: PimsAdapter) -> None:
    named = system_of(peer.name).settings
    assert len({setting.name for setting in named}) == len(named)
    assert set(peer.settings) <= {setting.name for setting in named}
    assert {setting.name for setting in named if setting.required} <= set(peer.settings)
    assert all(setting.label for setting in named)


@promise()
async def settings_that_do_not_fit_are_misconfigured(peer: Peer, _adapter: PimsAdapter) -> None:
    named = system_of(peer.name).settings
    required = [setting.name for setting in named if setting.required]
    wrong = [{name: value for name, value in peer.settings.items() if name != missing} for missing in required]
    wrong += [peer.settings | {name: ""} for name in required]
    wrong += [peer.settings | {"colour": "blue"}]
    wrong += [peer.settings | misfit for misfit in peer.misfits]
    secrets = [peer.settings[setting.name] for setting in named if setting.secret and setting.name in peer.settings]
    for settings in wrong:
        with pytest.raises(PimsMisconfigured) as refused:
            peer.connect_by(settings)
        said = all_that_is_said(refused.value)
        assert said.strip()
        assert not [secret for secret in secrets if secret in said]


@promise(feeds=True, way="wrong_credential")
async def a_wrong_credential_is_misconfigured(peer: SystemPeer, _adapter: PimsAdapter) -> None:
    async with peer.connected("wrong_credential") as stranger:
        for call in (stranger.check, partial(stranger.changes, stranger.feeds[0].name, None)):
            with pytest.raises(PimsMisconfigured):
                await call()


@promise(CreatesAppointments, way="wrong_credential")
async def a_wrong_credential_writes_and_finds_nothing(peer: SystemPeer, _adapter: Creates) -> None:
    key = peer.key()
    async with peer.connected("wrong_credential") as stranger:
        for call in (
            partial(stranger.create_appointment, peer.draft(), key),
            partial(stranger.find, "appointment", key),
            partial(stranger.read, "appointment", "1"),
        ):
            with pytest.raises(PimsMisconfigured) as refused:
                await call()
            check_words(refused.value)
    await peer.settle()
    assert await peer.count("appointment", key) == 0


@promise(feeds=True, way="unreachable")
async def where_nobody_is_reading_is_unavailable(peer: SystemPeer, _adapter: PimsAdapter) -> None:
    async with peer.connected("unreachable") as lost:
        for call in (lost.check, partial(lost.changes, lost.feeds[0].name, None)):
            with pytest.raises(PimsUnavailable) as failed:
                await call()
            assert not failed.value.outcome_unknown


@promise(CreatesAppointments, way="unreachable")
async def where_nobody_is_nothing_was_written(peer: SystemPeer, _adapter: Creates) -> None:
    async with peer.connected("unreachable") as lost:
        with pytest.raises(PimsUnavailable) as failed:
            await lost.create_appointment(peer.draft(), peer.key())
    assert not failed.value.outcome_unknown


@promise(CreatesAppointments)
async def the_lag_of_writes_is_told(_peer: SystemPeer, adapter: Creates) -> None:
    assert timedelta(0) <= adapter.write_lag < timedelta(days=1)


@promise(CreatesAppointments)
async def what_is_asked_of_drafts_are_fields_they_have(_peer: SystemPeer, adapter: Everything) -> None:
    drafts = {"client": ClientDraft, "patient": PatientDraft, "appointment": AppointmentDraft}
    for asked in adapter.asks:
        assert isinstance(asked, DraftField)
        assert asked.field in drafts[asked.of].__struct_fields__
        assert asked.required or asked.longest or asked.words
