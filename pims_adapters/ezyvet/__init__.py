"""The adapter for ezyVet, a vendor's PIMS with a REST interface; the README says what is known and what is assumed."""

from pims_adapters.contract import PimsAdapter, Relay, Setting, System
from pims_adapters.ezyvet.adapter import EzyVetAdapter
from pims_adapters.ezyvet.line import Line
from pims_adapters.ezyvet.settings import read_settings


def system() -> System:
    """Say what this folder is about."""
    return System(
        name="ezyVet",
        speaks="REST",
        adapter=EzyVetAdapter,
        settings=(
            Setting(
                name="partner_id", label="Partner ID", help="Identifies vetslot's operator to ezyVet.", secret=True
            ),
            Setting(name="client_id", label="Client ID", help="Stands in the integration's client_credentials.txt."),
            Setting(name="client_secret", label="Client secret", help="Stands beside the client ID.", secret=True),
            Setting(name="site_uid", label="Site UID", help="Begins with site_; names the practice's ezyVet site."),
            Setting(
                name="ownership_id",
                label="Department",
                help="The number of the ezyVet department at this location. Needed where one site has several.",
                required=False,
            ),
            Setting(name="url", label="Address", help="https://api.ezyvet.com unless on trial.", required=False),
            Setting(
                name="booking_url",
                label="Address for bookings",
                help="Where it differs from the address, as https://apiv2.ezyvet.com.",
                required=False,
            ),
            Setting(name="scope", label="Scopes", help="Separated by commas, as ezyVet granted them.", required=False),
            Setting(
                name="planning_days",
                label="Days of planning guides to read",
                help="0 to 62. With 0, working hours are kept with us.",
                required=False,
            ),
            Setting(name="timeout_seconds", label="Seconds a call may take", required=False),
            Setting(
                name="endpoint_calls_per_minute",
                label="Calls a minute to one endpoint",
                help="60 unless ezyVet granted something else.",
                required=False,
            ),
            Setting(
                name="calls_per_minute",
                label="Calls a minute in all",
                help="180 unless ezyVet granted something else.",
                required=False,
            ),
        ),
        third_party="ezyVet: it approves the integration and issues its credentials, which takes days.",
    )


def connect(settings: dict[str, str], _relay: Relay | None) -> PimsAdapter:
    """Open a connection by its settings. Raises `PimsMisconfigured` where they do not fit."""
    return EzyVetAdapter(Line(read_settings(settings)))
