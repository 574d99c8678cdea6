"""The double against a client that others wrote for the real ezyVet: `ezyvetapi` from PyPI must not notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from pims_adapters.contract import AppointmentDraft
from tests.ezyvet_double import ROOT, EzyVetDouble
from tests.pims_adapters.ezyvet.conftest import NOW
from tests.pims_adapters.ezyvet.double import seed
from tests.pims_adapters.ezyvet.double.vendor import CREDENTIALS

PACKAGE = Path(sys.prefix) / "ezyvetapi"
OURS = Path(__file__).parent / "third_party"


def test_a_client_by_others_authenticates_pages_and_follows_changes(
    double: EzyVetDouble, draft: AppointmentDraft
) -> None:
    assert PACKAGE.is_dir(), "The package ezyvetapi is missing: run `make setup-dev`."
    double.act("clock", advance=3600)
    since = NOW + timedelta(minutes=30)
    changed = double.book(draft.start, 30, [seed.WEI])
    double.asked()
    run = subprocess.run(
        [sys.executable, str(OURS / "drive.py"), f"{double.url}/", since.replace(tzinfo=None).isoformat()],
        env={
            "PYTHONPATH": os.pathsep.join((str(OURS), str(PACKAGE))),
            "EZY_VET_API": f"{double.url}/",
            "SERVER_RETRY_SLEEP_TIME": "1",
            "NO_PROXY": "*",
            **{name.upper(): value for name, value in CREDENTIALS.items()},
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    asked = double.asked()
    assert told["contacts"] == [str(one["id"]) for one in double.rows("contact")]
    assert told["animals"] == len(double.rows("animal"))
    assert told["statuses"]["2"] == "Confirmed"
    active = [one["id"] for one in double.rows("appointment") if one["active"]]
    assert told["appointments"] == active
    assert told["details"] == len(double.rows("contactdetail"))
    assert told["changed"] == [int(changed)]
    assert told["after the token ended"] == len(double.rows("species"))
    assert asked.count("POST /v1/oauth/access_token") == 2
    assert asked.count("GET /v1/contact") > 2, "It read page after page."
