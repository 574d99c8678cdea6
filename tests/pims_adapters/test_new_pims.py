"""`make new-pims` writes folders that keep the contract at once, and touches nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("pims_adapters", "tests", "pyproject.toml")
LINKED = ("availability", "booking", "widget")
NAME = "zeta_veterinary_soft"  # as long as a name may be, and late in the alphabet


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what adapters and their tests need."""
    root = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "output"))
        else:
            shutil.copy(ROOT / name, root / name)
    for name in LINKED:
        (root / name).symlink_to(ROOT / name)
    return root


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def files(root: Path) -> dict[str, bytes]:
    found = sorted(
        file for folder in COPIED for file in (root / folder).rglob("*") if file.is_file() and "cache" not in str(file)
    )
    return {str(file.relative_to(root)): file.read_bytes() for file in found}


def test_what_make_new_pims_writes_keeps_the_contract_at_once(repository: Path) -> None:
    before = files(repository)
    made = run(repository, "pims_adapters._new", NAME)
    assert made.returncode == 0, made.stderr
    after = files(repository)
    own = (f"pims_adapters/{NAME}/", f"tests/pims_adapters/{NAME}/")
    assert {name for name in after if not name.startswith(own)} == set(before)
    assert all(after[name] == before[name] for name in before)
    assert not [name for name in after if name.startswith(own) and b"NewPims" in after[name]]
    for mend in (("ruff", "check", "--fix-only"), ("ruff", "format")):  # as the Makefile does
        assert run(repository, *mend, *own).returncode == 0
    for check in (("ruff", "check"), ("ruff", "format", "--check")):
        linted = run(repository, *check, *own)
        assert linted.returncode == 0, linted.stdout
    kept = run(repository, "pytest", "-q", "-p", "no:cacheprovider", "tests/pims_adapters/test_contract.py", "-k", NAME)
    assert kept.returncode == 0, kept.stdout
    assert "skipped" not in kept.stdout
    assert int(kept.stdout.split(" passed")[0].split()[-1]) > 40


@pytest.mark.parametrize("name", ["", "Acme", "../acme", "_acme", "9lives", "contract", "demo", "acme-cloud"])
def test_a_name_that_cannot_be_a_folder_is_refused_in_a_sentence(repository: Path, name: str) -> None:
    before = files(repository)
    made = run(repository, "pims_adapters._new", name)
    assert made.returncode == 1
    assert made.stderr.strip().endswith(".")
    assert "Traceback" not in made.stderr
    assert files(repository) == before


def test_a_folder_without_a_peer_fails_the_suite_with_one_sentence(repository: Path) -> None:
    folder = repository / "pims_adapters" / "peerless"
    shutil.copytree(repository / "pims_adapters" / "no_pims", folder)
    run_ = run(
        repository, "pytest", "-q", "-p", "no:cacheprovider", "tests/pims_adapters/test_contract.py", "-k", "peerless"
    )
    shutil.rmtree(folder)
    assert run_.returncode == 1
    assert (
        "pims_adapters/peerless has no tests/pims_adapters/peerless/peer.py, which the contract suite needs"
        in run_.stdout
    )
