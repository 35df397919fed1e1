"""Writing the files of a configMap, secret, downwardAPI or projected volume so that readers see all or nothing.

The layout is the kubelet's atomic writer: a fresh directory, a `..data` link renamed over, and one link per
top-level name. Called by `prepare`; blocking.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from podwright.agent.seed.volumes.plan import PayloadFile

DATA_LINK = "..data"
GROUP_READ = 0o440


def write_payload(volume: str, files: Sequence[PayloadFile], group: int | None) -> None:
    """Write `files` into the directory `volume` (made by the caller). Raises OSError."""
    stamp = datetime.now(UTC).strftime("%Y_%m_%d_%H_%M_%S")
    fresh = f"..{stamp}.{secrets.token_hex(4)}"
    folder = os.path.join(volume, fresh)
    os.mkdir(folder, 0o755)
    os.chmod(folder, 0o755)
    for file in files:
        _write_file(folder, file, group)
    temporary = os.path.join(volume, "..data_tmp")
    os.symlink(fresh, temporary)
    os.rename(temporary, os.path.join(volume, DATA_LINK))
    for name in dict.fromkeys(file.path.split("/")[0] for file in files):
        os.symlink(os.path.join(DATA_LINK, name), os.path.join(volume, name))


def _write_file(folder: str, file: PayloadFile, group: int | None) -> None:
    path = os.path.join(folder, file.path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(file.data)
        if group is not None:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, file.mode | (GROUP_READ if group is not None else 0))
