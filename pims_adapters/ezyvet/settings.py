"""What a practice enters to connect its ezyVet site, checked before anything is sent."""

from __future__ import annotations

import re

import httpx
import msgspec

from pims_adapters.contract import PimsMisconfigured

SCOPE = (
    "read-appointment,write-appointment,create-booking,read-appointmenttype,read-appointmentstatus,read-resource,"
    "read-contact,write-contact,read-contactdetail,read-animal,write-animal,read-species,read-breed,read-sex"
)
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
MOST_PLANNING_DAYS = 62
MOST_SECONDS = 60
WORD = re.compile(r"[!-~]+")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `system()` for what each is; `timeout_seconds` bounds a whole call of the contract."""

    partner_id: str
    client_id: str
    client_secret: str
    site_uid: str
    ownership_id: int | None = None
    url: str = "https://api.ezyvet.com"
    booking_url: str = ""
    scope: str = SCOPE
    planning_days: int = MOST_PLANNING_DAYS
    timeout_seconds: float = 10
    endpoint_calls_per_minute: int = 60
    calls_per_minute: int = 180


def read_settings(entered: dict[str, str]) -> Settings:
    """Read what was entered; what was left empty takes its default. Raises `PimsMisconfigured`."""
    try:
        found = msgspec.convert({name: value for name, value in entered.items() if value != ""}, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise PimsMisconfigured(f"The settings of ezyVet do not fit: {error}.") from None
    for name in ("partner_id", "client_id", "client_secret", "site_uid"):
        if not WORD.fullmatch(getattr(found, name)):
            raise PimsMisconfigured(f"The setting `{name}` has characters that it cannot have.")
    if not found.scope.isascii() or not found.scope.isprintable():
        raise PimsMisconfigured("The setting `scope` has characters that no scope has.")
    _check_address("url", found.url)
    _check_address("booking_url", found.booking_url or found.url)
    if not 0 < found.timeout_seconds <= MOST_SECONDS:
        raise PimsMisconfigured(f"The setting `timeout_seconds` must be above 0 and at most {MOST_SECONDS}.")
    if not 0 <= found.planning_days <= MOST_PLANNING_DAYS:
        raise PimsMisconfigured(f"The setting `planning_days` must be from 0 to {MOST_PLANNING_DAYS}.")
    if found.endpoint_calls_per_minute < 1 or found.calls_per_minute < 1:
        raise PimsMisconfigured("The calls per minute must be at least 1.")
    return found


def _check_address(name: str, value: str) -> None:
    """Refuse what is no address, and http to anywhere but this machine: the secret would travel in the clear."""
    try:
        address = httpx.URL(value)
    except httpx.InvalidURL:
        raise PimsMisconfigured(f"The setting `{name}` is no address.") from None
    if not address.host or address.userinfo or address.query or address.fragment:
        raise PimsMisconfigured(f"The setting `{name}` must be an address such as https://api.ezyvet.com.")
    if address.scheme != "https" and not (address.scheme == "http" and address.host in LOOPBACK):
        raise PimsMisconfigured(f"The setting `{name}` must begin with https://.")
