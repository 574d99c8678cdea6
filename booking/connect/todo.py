"""What is to be done before a connection is live, in its order: done or not, by whom, and why it is not done yet."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from booking.connect.survey import digest
from booking.db.connection_steps import Steps
from pims_adapters import system_of
from pims_adapters.contract import System

Step = Literal[
    "activation", "settings", "check", "survey", "mapping", "import_settings", "dry_run", "go_live", "import"
]
By = Literal["practice", "third_party", "vetslot"]


class Todo(Struct, frozen=True, kw_only=True):
    """One thing to be done before the connection is live. `by`: who has to do it."""

    step: Step
    done: bool
    by: By
    explanation: str


def todo(steps: Steps) -> list[Todo]:
    """Return all steps in their order, done or not, with who has to do what."""
    system = system_of(steps.adapter)
    checked, found = steps.checked, steps.survey
    needed = [one for one in system.settings if one.required]
    entered = not needed or bool(steps.settings or steps.sealed)
    surveyed = "The PIMS is being read." if steps.survey_due_at else steps.survey_failure or "Read what the PIMS holds."
    return [
        _activation(steps, system),
        Todo(step="settings", done=entered, by="practice", explanation="Enter address and credentials."),
        Todo(
            step="check",
            done=checked is not None and checked.problem is None,
            by="practice",
            explanation=(checked and checked.problem) or "Let us try whether the PIMS answers.",
        ),
        Todo(
            step="survey",
            done=found is not None,
            by="vetslot" if steps.survey_due_at else "practice",
            explanation=surveyed,
        ),
        Todo(
            step="mapping",
            done=found is not None and steps.mapping is not None,
            by="practice",
            explanation="Say which columns, types and species of the PIMS are which of yours.",
        ),
        Todo(
            step="import_settings",
            done=steps.import_settings is not None,
            by="practice",
            explanation="Choose the hour and zone of the nightly import, and how much is imported.",
        ),
        _dry_run(steps),
        Todo(
            step="go_live",
            done=steps.status in ("importing", "live", "paused"),
            by="practice",
            explanation="Start the import.",
        ),
        Todo(
            step="import",
            done=steps.status == "live",
            by="practice" if steps.status == "paused" else "vetslot",
            explanation=f"Paused: {steps.paused_because}" if steps.status == "paused" else "The import is running.",
        ),
    ]


def _activation(steps: Steps, system: System) -> Todo:
    """Return who has to switch the connection on, where anybody has."""
    done = steps.status not in ("requested", "activating")
    if system.third_party and steps.status == "requested":
        text = f"We ask {system.third_party} to switch the connection on."
        by: By = "vetslot"
    elif system.third_party:
        text = f"{system.third_party} switches it on, which may take days; they will contact you."
        by = "third_party"
    else:
        text = "Install the agent beside your PIMS and start it with the token you were given."
        by = "practice"
    return Todo(step="activation", done=done, by=by, explanation=text)


def _dry_run(steps: Steps) -> Todo:
    """Return whether the import was tried with the present mapping, and what that found."""
    found = steps.survey
    if found is None or found.mapping != digest(steps.maps):
        return Todo(step="dry_run", done=False, by="practice", explanation="Try the import; nothing is written by it.")
    if found.blocked:
        first = next(one.message for one in found.conflicts if one.blocks)
        return Todo(step="dry_run", done=False, by="practice", explanation=first)
    if found.conflicts and not steps.conflicts_accepted:
        count = len(found.conflicts) + found.more_conflicts
        text = f"The dry run found {count} things that do not fit: read them, then accept or mend them."
        return Todo(step="dry_run", done=False, by="practice", explanation=text)
    return Todo(step="dry_run", done=True, by="practice", explanation="The import was tried.")
