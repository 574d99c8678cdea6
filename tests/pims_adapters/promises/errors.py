"""What an error says, and what it must not."""

from __future__ import annotations

from pims_adapters.contract import PimsError
from tests.pims_adapters.peers import PERSONAL


def all_that_is_said(error: BaseException | None) -> str:
    """Return the words of an error and of all that caused it, as a log with its trace would show them."""
    said: list[str] = []
    while error is not None and len(said) < 20:
        said.append(f"{error!s} {error!r}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(said)


def check_words(error: PimsError) -> None:
    """Fail where an error is silent, or names people."""
    assert str(error).strip(), "An error says in a sentence what is wrong."
    named = [word for word in PERSONAL if word in all_that_is_said(error)]
    assert not named, f"An error names people: {named}."
