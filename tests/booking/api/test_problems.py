"""Problems: every error of the domain has an answer, each says what to do, and none tells what it should not."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import httpx

import booking
from booking.api.problems import BROKEN, OF_FRAMEWORK, PROBLEMS, UNAVAILABLE, kind_of
from tests.booking.api.calls import practice_path
from tests.widget.cedar_hill import CedarHill

NEVER_ANSWERED = {
    "booking.configure.appointment_types.ChangeRefused": "told in the console's form",
    "booking.connect.credentials.CredentialsUnreadable": "told on the connection",
    "booking.db.migrate.MigrationRefused": "told at a terminal",
    "booking.sync.losses.TooMuchLost": "told on the connection",
    "booking.messages.Undelivered": "the worker's",
    "booking.messages.Undeliverable": "the worker's",
}
"""Public errors of `booking` that no request ends in, each with its reason."""


def public_errors() -> dict[str, type[Exception]]:
    """Return every public exception that a module of `booking` defines."""
    found = {}
    for module in pkgutil.walk_packages(booking.__path__, "booking."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and issubclass(value, Exception) and not name.startswith("_"):
                found[f"{value.__module__}.{name}"] = value
    return {name: error for name, error in found.items() if name.startswith("booking.")}


def test_every_error_of_the_domain_has_an_answer() -> None:
    unanswered = {name for name, error in public_errors().items() if not any(t in PROBLEMS for t in error.__mro__)}
    assert unanswered == set(NEVER_ANSWERED)


def test_every_answer_says_in_a_sentence_what_is_wrong_or_what_to_do() -> None:
    for error in PROBLEMS:
        assert error.__doc__ is not None, error
        assert re.fullmatch(r"[A-Z][^\n]*[.?!]", error.__doc__.strip()), error


def test_codes_are_stable_words_and_belong_to_one_status() -> None:
    by_code: dict[str, int] = {}
    for kind in (*PROBLEMS.values(), *OF_FRAMEWORK.values(), BROKEN, UNAVAILABLE):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
        assert by_code.setdefault(kind.code, kind.status) == kind.status


def test_an_error_of_a_kind_is_answered_as_its_kind() -> None:
    class Special(KeyError):
        pass

    assert kind_of(Special()) is None
    first = next(iter(PROBLEMS))
    assert kind_of(type("Special", (first,), {})()) is PROBLEMS[first]


async def test_an_unknown_route_and_a_wrong_method_are_answered_as_problems(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    nothing = await api.get("/api/v1/nothing")
    wrong = await api.put(f"{practice_path(cedar_hill)}/holds", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not-found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")
    assert wrong.headers["allow"]


async def test_what_breaks_on_our_side_says_nothing_of_how(api: httpx.AsyncClient, cedar_hill: CedarHill) -> None:
    await cedar_hill.execute("ALTER TABLE appointment_type RENAME TO gone")
    answer = await api.get(f"{practice_path(cedar_hill)}/appointment-types")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "appointment_type" not in answer.text
    assert str(Path.cwd()) not in answer.text
