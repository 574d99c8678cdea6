"""Drive an ezyVet with the third-party client `ezyvetapi`, as its users do, and print what came as one line of JSON.

Run by `test_ezyvet_third_party.py`. Three sections: what is there, what changed since, and what a lost token does.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any
from urllib.request import Request, urlopen

from ezyvetapi import EzyVetApi  # type: ignore[import-not-found]  # stands apart, in .venv/ezyvetapi

LOCATION = 1


def main() -> None:
    url, since = sys.argv[1], datetime.fromisoformat(sys.argv[2])
    api = EzyVetApi()
    contacts = api.get(LOCATION, "v1", "contact")
    told: dict[str, Any] = {
        "contacts": [one["id"] for one in contacts],
        "animals": len(api.get(LOCATION, "v1", "animal")),
        "statuses": api.get_translation(LOCATION, "v1", "appointmentstatus"),
        "appointments": [one["id"] for one in api.get(LOCATION, "v2", "appointment", {"active": True})],
    }
    ids = [int(one) for one in told["contacts"]]
    details = api.get_by_ids(LOCATION, "v1", "contactdetail", ids, id_field="contact_id", dataframe_flag=True)
    told["details"] = len(details)
    changed = api.get_date_range(LOCATION, "v2", "appointment", "modified_at", start_date=since)
    told["changed"] = [one["id"] for one in changed]
    body = json.dumps({"revoke": True}).encode()
    with urlopen(Request(f"{url}double/tokens", body)) as answer:  # as a token ends after twelve hours
        answer.read()
    told["after the token ended"] = len(api.get(LOCATION, "v1", "species"))
    print(json.dumps(told))  # noqa: T201 - what the test reads


main()
