"""The README's table of PIMS says what the adapters can do, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pims_adapters import systems
from pims_adapters.contract import CreatesAppointments, abilities_of
from pims_adapters.contract.abilities import ABILITIES, calls_of
from pims_adapters.no_pims.adapter import NoPims
from pims_adapters.table import BEGINS, ENDS, table, with_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_in_step_with_the_adapters() -> None:
    assert with_table(README) == README, "The adapters can do other things than the README says: make readme."


@pytest.mark.parametrize("folder", systems())
def test_every_folder_has_a_line_and_a_readme_of_its_own(folder: str) -> None:
    assert f"(pims_adapters/{folder}/README.md)" in table()
    own = (ROOT / "pims_adapters" / folder / "README.md").read_text(encoding="utf-8")
    assert own.startswith("# ")


def test_only_what_stands_between_the_marks_is_written() -> None:
    text = f"before\n{BEGINS}old\n{ENDS}after\n"
    assert with_table(text) == f"before\n{BEGINS}{table()}{ENDS}after\n"


def test_an_ability_is_had_by_having_all_of_its_calls() -> None:
    class Half:
        async def create_appointment(self) -> None: ...

        async def find(self) -> None: ...

    class Finds:
        async def find_clients(self) -> None: ...

    assert abilities_of(Half) == abilities_of(NoPims) == frozenset()
    assert abilities_of(Finds) == abilities_of(Finds()) == {"finds_clients"}
    assert set(calls_of(CreatesAppointments)) == {"create_appointment", "find", "read"}
    assert all(calls_of(ability) for ability in ABILITIES.values())
