"""The contract without its abilities: there is nobody to speak to."""

from zoneinfo import ZoneInfo

import msgspec

from pims_adapters import contract


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a practice would otherwise be asked by its PIMS."""

    name: str
    timezone: str


class NoPims:
    """A connection to nothing. It is never old, never down, and has nothing to tell."""

    feeds: tuple[contract.Feed, ...] = ()

    def __init__(self, practice: contract.Practice) -> None:
        self._practice = practice

    @classmethod
    def of(cls, settings: dict[str, str]) -> "NoPims":
        """Raise `PimsMisconfigured` where the settings do not fit."""
        try:
            found = msgspec.convert(settings, Settings)
        except msgspec.ValidationError as error:
            raise contract.PimsMisconfigured(f"The settings of a practice without PIMS do not fit: {error}.") from None
        try:
            ZoneInfo(found.timezone)
        except (LookupError, ValueError, OSError):  # what ZoneInfo raises for text that names no zone, or a path
            raise contract.PimsMisconfigured(
                "The setting `timezone` names no time zone, as Europe/Paris does."
            ) from None
        if not found.name.strip():
            raise contract.PimsMisconfigured("The setting `name` is empty.")
        return cls(contract.Practice(pims_id="practice", name=found.name, timezone=found.timezone))

    async def check(self) -> contract.Checked:
        return contract.Checked(practice=self._practice)

    async def changes(self, feed: str, cursor: str | None) -> contract.ChangePage:  # noqa: ARG002
        raise contract.PimsMisconfigured("A practice without PIMS has no feed of changes.")

    async def close(self) -> None:
        """Nothing is open."""
