"""What works with which PIMS, as the README's table: written from the adapters themselves, never by hand.

`make readme` writes it anew; a test fails where the README says otherwise.
"""

import sys
from pathlib import Path

from pims_adapters import systems
from pims_adapters.contract import Ability, Feed, RecordKind, System, abilities_of

BEGINS, ENDS = "<!-- written by make readme -->\n", "<!-- end -->\n"
COLUMNS: tuple[tuple[str, Ability], ...] = (
    ("moves", "changes_appointments"),
    ("cancels", "cancels_appointments"),
    ("confirms", "confirms_appointments"),
    ("finds clients", "finds_clients"),
    ("notices vanished records", "lists_records"),
    ("exports conversations", "exports_conversations"),
)
WORDS: dict[RecordKind, str] = {
    "resource": "people and rooms",
    "closure": "closures",
    "blockoff": "block-offs",
    "appointmenttype": "types",
    "planningrule": "planning rules",
    "client": "clients",
    "patient": "patients",
    "appointment": "appointments",
    "vaccination": "vaccinations",
    "reminder": "reminders",
}
"""The practice itself is read wherever anything is."""


def table() -> str:
    """Return the table in Markdown, a line for each folder."""
    heads = ("PIMS", "adapter", "speaks", "reads", "writes", *(head for head, _ in COLUMNS))
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return "\n".join([*lines, *(_line(folder, system) for folder, system in systems().items()), ""])


def with_table(text: str) -> str:
    """Return a text with the table between its marks."""
    before, _, rest = text.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}{table()}{ENDS}{after}"


def _line(folder: str, system: System) -> str:
    abilities = abilities_of(system.adapter)
    link = f"[`{folder}`](pims_adapters/{folder}/README.md)"
    cells = [system.name, link, system.speaks, _reads(system.adapter), _writes(abilities)]
    cells += ["yes" if ability in abilities else "no" for _, ability in COLUMNS]
    return f"| {' | '.join(cells)} |"


def _reads(adapter: type) -> str:
    feeds: tuple[Feed, ...] = getattr(adapter, "feeds", ())
    kinds = {kind for feed in feeds for kind in feed.kinds}
    return ", ".join(word for kind, word in WORDS.items() if kind in kinds) or "nothing"


def _writes(abilities: frozenset[Ability]) -> str:
    written: tuple[tuple[str, Ability], ...] = (
        ("clients, patients", "creates_clients"),
        ("appointments", "creates_appointments"),
    )
    return ", ".join(word for word, ability in written if ability in abilities) or "nothing"


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
