"""The image of a pod's first process: put together here and loaded into the Engine, so that nothing is pulled. Pure.

Its one file is the program that pods with a shared PID namespace have everywhere (`handlers/processes/pause.py`). The
name has a digest of the content, so that another version gets another name.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import msgspec

from podwright.runtime.handlers.processes import pause

REPOSITORY = "podwright.local/pause"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CREATED = "1970-01-01T00:00:00Z"
PROGRAM = "/pause"


class PauseImage(msgspec.Struct, frozen=True, kw_only=True):
    """`archive` is in the format of `docker save`."""

    name: str
    archive: bytes


def pause_image(machine: str) -> PauseImage:
    """The image for uname's `machine`. Raises FailedPrecondition for one without code."""
    layer = _tar({PROGRAM.lstrip("/"): (pause.executable(machine), 0o755)})
    config = json.dumps(
        {
            "architecture": ARCHITECTURES[machine],
            "os": "linux",
            "created": CREATED,
            "config": {"Entrypoint": [PROGRAM]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": CREATED, "created_by": "podwright"}],
        },
        sort_keys=True,
    ).encode()
    digest = hashlib.sha256(config).hexdigest()
    name = f"{REPOSITORY}:{digest[:12]}"
    manifest = json.dumps([{"Config": f"{digest}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    files = {"manifest.json": manifest, f"{digest}.json": config, "layer.tar": layer}
    return PauseImage(name=name, archive=_tar({path: (data, 0o644) for path, data in files.items()}))


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar of files with their modes. The same files make the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, (data, mode) in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
