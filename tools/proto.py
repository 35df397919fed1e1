"""Generates the stubs beside the protos, or tells how they differ from them.

python -m tools.proto          write the *_pb2* files of SERVICES and MESSAGES
python -m tools.proto --check  exit 1 with a list when the files in the tree are not what would be written
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
# Served or called by gRPC.
SERVICES = (Path("podwright/cri/v1"), Path("podwright/api/v1"), Path("podwright/kubelet_grpc"))
MESSAGES = (
    Path("podwright/ttrpc/v1"),
    Path("podwright/runtime/handlers/shim/api"),
    Path("podwright/runtime/nri/api"),
    Path("podwright/k8s/protobuf"),
)  # by ttrpc, or not at all
FOLDERS = SERVICES + MESSAGES


def generate(target: Path) -> list[Path]:
    """Run protoc with the output below `target`. Returns the generated files, relative to it."""
    _run_protoc(target, SERVICES, ("python", "pyi", "grpc_python", "mypy_grpc"))
    _run_protoc(target, MESSAGES, ("python", "pyi"))
    return sorted(file.relative_to(target) for file in target.rglob("*_pb2*"))


def _run_protoc(target: Path, folders: tuple[Path, ...], kinds: tuple[str, ...]) -> None:
    plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    outputs = [f"--{kind}_out={target}" for kind in kinds]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", f"--plugin=protoc-gen-mypy_grpc={plugin}"]
    protos = [str(proto.relative_to(TREE)) for folder in folders for proto in sorted((TREE / folder).glob("*.proto"))]
    subprocess.run([*protoc, *outputs, *protos], cwd=TREE, check=True, stdin=subprocess.DEVNULL)


def drift(target: Path, files: list[Path]) -> list[Path]:
    """The files of the tree that are missing, extra, or differ from those below `target`."""
    present = {file.relative_to(TREE) for folder in FOLDERS for file in (TREE / folder).glob("*_pb2*")}
    changed = {file for file in files if _content(TREE / file) != _content(target / file)}
    return sorted((present - set(files)) | changed)


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def main() -> int:
    """Generate or check; the exit code is 1 on drift."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory(prefix="podwright-proto-") as name:
        target = Path(name)
        files = generate(target)
        if check:
            stale = drift(target, files)
            for file in stale:
                print(f"{file} is not what its proto gives; run `make proto`")
            return 1 if stale else 0
        for file in files:
            shutil.copyfile(target / file, TREE / file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
