"""What the demo keeps between two starts: a folder with the servers' data, ports, secrets, records and logs."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from widget.embedded import remove_state
from widget.embedded.folder import create_folder
from widget.embedded.process import free_port

REPOSITORY = Path(__file__).parents[2]
OURS = ("logs", "ports.json", "secrets.json", "addresses.json", "pims.sqlite3", "pims.sqlite3-wal", "pims.sqlite3-shm")


class Secrets(Struct, frozen=True, kw_only=True):
    """Drawn at the first start."""

    secret_key: str
    pims_key: str


class Ports(Struct, frozen=True, kw_only=True):
    """Where the parts beside the web server listen."""

    host_page: int
    pims: int


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the demo's folder: `.state/demo` in the repository unless VETSLOT_STATE names another."""
    return Path(environ.get("VETSLOT_STATE") or REPOSITORY / ".state" / "demo").absolute()


def open_state(folder: Path) -> Path:
    """Make the folder where it is missing and return the one for logs."""
    logs = folder / "logs"
    create_folder(logs)
    return logs


def keep_secrets(folder: Path) -> Secrets:
    """Return this demo's secrets; they stay the same, so that what they sealed can be opened after a restart."""
    file = folder / "secrets.json"
    if not file.exists():
        drawn = Secrets(secret_key=secrets.token_hex(32), pims_key=secrets.token_hex(16))
        write_private(file, msgspec.json.encode(drawn))
    return msgspec.json.decode(file.read_bytes(), type=Secrets)


def keep_ports(folder: Path, *, host_page: int | None, pims: int | None) -> Ports:
    """Return the wanted ports, else those of the last start where they are still free, else free ones."""
    file = folder / "ports.json"
    last = msgspec.json.decode(file.read_bytes(), type=Ports) if file.exists() else None
    ports = Ports(
        host_page=host_page or free_port(last.host_page if last else None),
        pims=pims or free_port(last.pims if last else None),
    )
    file.write_bytes(msgspec.json.encode(ports))
    return ports


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_bytes(content)


def forget(folder: Path) -> None:
    """Delete what the demo has made in its folder, and nothing else that may be there."""
    remove_state(folder)
    for name in OURS:
        if (path := folder / name).is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
