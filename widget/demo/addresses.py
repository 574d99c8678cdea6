"""Where everything in the demo is: for people on the terminal, for tests and scripts in `addresses.json`."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from widget.demo.riverside import STAFF_EMAIL, STAFF_PASSWORD
from widget.demo.state import Ports, write_private


class Addresses(Struct, frozen=True, kw_only=True):
    """Every address of one running demo, and what opens its doors."""

    booking: str
    host_page: str
    strict_host_page: str
    console: str
    mailbox: str
    pims: str
    pims_key: str
    host_origins: list[str]

    @staticmethod
    def of(public_url: str, ports: Ports, pims_key: str) -> Addresses:
        """Return the addresses; the website is another site than ours, as in life, so that cookies prove themselves."""
        host_page = f"http://127.0.0.1:{ports.host_page}"
        return Addresses(
            booking=f"{public_url}/book/riverside",
            host_page=f"{host_page}/",
            strict_host_page=f"{host_page}/strict",
            console=f"{public_url}/console/riverside/sign-in",
            mailbox=f"{public_url}/dev/mailbox",
            pims=f"http://127.0.0.1:{ports.pims}",
            pims_key=pims_key,
            host_origins=[host_page, f"http://localhost:{ports.host_page}"],
        )


def show(addresses: Addresses, folder: Path) -> None:
    """Print the addresses and write them down."""
    write_private(folder / "addresses.json", msgspec.json.format(msgspec.json.encode(addresses)))
    print(
        f"""
  Book an appointment   {addresses.booking}
  A practice's website  {addresses.host_page}
  Console               {addresses.console}
                        sign in as {STAFF_EMAIL}, password {STAFF_PASSWORD}
  Mailbox               {addresses.mailbox}
                        every text and email that would be sent, with the codes
  Practice's PIMS       {addresses.pims}/

  Ctrl-C stops everything. Logs are in {folder / "logs"}.
""",
        flush=True,
    )
