"""The words of `seed_words.toml`: names, breeds, notes."""

from pathlib import Path
from typing import Any

import msgspec


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lists of names come as one text, separated by white space."""

    first_names: list[str]
    last_names: list[str]
    patient_names: list[str]
    typed_extras: list[str]
    breeds: dict[str, list[str]]
    notes: dict[str, list[str]]


def _read(path: Path) -> Words:
    found: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    split = {key: value.split() if isinstance(value, str) else value for key, value in found.items()}
    return msgspec.convert(split, Words)


WORDS = _read(Path(__file__).with_name("seed_words.toml"))
