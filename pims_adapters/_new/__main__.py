"""Write the folders of another PIMS: `make new-pims NAME=acme`."""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEMPLATES = (Path("pims_adapters/_new"), Path("tests/pims_adapters/_new"))
NAME = re.compile(r"(?=.{1,20}$)[a-z][a-z0-9]*(_[a-z0-9]+)*")
TAKEN = {"contract", "table", "promises"}


def main() -> None:
    """Copy this folder and its tests' under another name, and say what comes next."""
    parser = argparse.ArgumentParser(prog="make new-pims", description=__doc__)
    parser.add_argument("name", help="as a Python module: lower case, as in acme or acme_cloud")
    name = parser.parse_args().name
    if not NAME.fullmatch(name) or name in TAKEN:
        sys.exit(f"{name!r} cannot be the name of a folder: lower case and short, as in acme or acme_cloud.")
    for template in TEMPLATES:
        if (ROOT / template.with_name(name)).exists():
            sys.exit(f"{template.with_name(name)} is there already.")
    for template in TEMPLATES:
        for file in sorted((ROOT / template).glob("*.*")):
            if file.name != "__main__.py":
                new = ROOT / template.with_name(name) / file.name
                new.parent.mkdir(exist_ok=True)
                new.write_text(renamed(file.read_text(encoding="utf-8"), name), encoding="utf-8")
    sys.stdout.write(
        f"pims_adapters/{name} and tests/pims_adapters/{name} are written. Next: docs/adding-a-pims.md, and\n"
        f'  make test ARGS="tests/pims_adapters/test_contract.py -k {name}-"\n'
    )


def renamed(text: str, name: str) -> str:
    """Put a name for the template's."""
    title = "".join(word.capitalize() for word in name.split("_"))
    for old, new in (
        ("pims_adapters._new", f"pims_adapters.{name}"),
        ("pims_adapters/_new", f"pims_adapters/{name}"),
        ('"_new"', f'"{name}"'),
        ("NewPims", title),
    ):
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    main()
