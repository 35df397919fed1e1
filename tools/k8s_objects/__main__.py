"""Generates the typed objects of the Kubernetes API, or names those that are not what would be generated.

python -m tools.k8s_objects          write podwright/k8s/objects
python -m tools.k8s_objects --check  exit 1 with a list when the files in the tree are not what would be written
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools.k8s_objects.models import read_types
from tools.k8s_objects.render import render_all

FOLDER = Path(__file__).resolve().parent.parent.parent / "podwright/k8s/objects"
# Written by hand.
KEPT = frozenset({"base.py"})


def generate() -> dict[Path, str]:
    """Every file with its text, formatted as the project's sources are."""
    return {FOLDER / name: _formatted(FOLDER / name, text) for name, text in render_all(read_types()).items()}


def drift(files: dict[Path, str]) -> list[Path]:
    """The files of the tree that are missing, extra, or differ."""
    present = {file for file in FOLDER.glob("*.py") if file.name not in KEPT}
    changed = {file for file, text in files.items() if not file.exists() or file.read_text() != text}
    return sorted((present - set(files)) | changed)


def _formatted(file: Path, text: str) -> str:
    # The files of a first run are not there yet, so that ruff cannot see whose they are.
    own = ["--config", 'lint.isort.known-first-party = ["podwright"]']
    for arguments in (["check", "--fix", "--select", "I", "--silent", *own], ["format"]):
        command = [str(Path(sys.executable).parent / "ruff"), *arguments, "--stdin-filename", str(file), "-"]
        text = subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout
    return text


def main() -> int:
    """Generate or check; the exit code is 1 on drift."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    files = generate()
    if check:
        stale = drift(files)
        for file in stale:
            print(f"{file} is not what the API's models give; run `make objects`")
        return 1 if stale else 0
    for file, text in files.items():
        file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
