"""What a folder of `pims_adapters` says of its PIMS before anything is connected."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct


class Setting(Struct, frozen=True, kw_only=True):
    """Something that the practice enters to connect. `secret`: kept encrypted and never shown again."""

    name: str
    label: str
    help: str = ""
    secret: bool = False
    required: bool = True


class System(Struct, frozen=True, kw_only=True):
    """What a folder is about: the PIMS's name, what is spoken, and what a practice enters to connect.

    `agent`: an agent beside the PIMS speaks for it through a `Relay`. `third_party`: who has to switch it on, where the
    practice cannot do it alone. `fresh_for`: so old its data may be though all is well; a practice's freshness limit is
    raised to that when it goes live, or nothing near could ever be booked at once.
    """

    name: str
    speaks: str
    adapter: type
    settings: tuple[Setting, ...] = ()
    agent: bool = False
    third_party: str = ""
    fresh_for: timedelta = timedelta()
