"""The folder of manifests that a node agent watches."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from podwright.bench.agents.pods import manifest


class Manifests:
    """Adds pods to the folder, each atomically, and removes them."""

    def __init__(self, folder: str, staging: str, *, image: str, run_id: str) -> None:
        """`staging` is a folder on the same file system, where files are written before they appear."""
        self._folder = folder
        self._staging = staging
        self._image = image
        self._run_id = run_id
        self._made = 0
        for path in (folder, staging):
            os.makedirs(path)

    def add(self, count: int) -> dict[str, int]:
        """Add pods as fast as possible. Returns each name with the time of its appearance (wall clock, ns).

        That time is also the file's mtime. We set it, because the kernel's own is up to a timer tick old.
        """
        names = [self._next_name() for _ in range(count)]
        for name in names:
            with open(f"{self._staging}/{name}.json", "wb") as file:
                file.write(manifest(name, image=self._image, run_id=self._run_id))
        return {name: self._appear(name) for name in names}

    def remove(self, names: Sequence[str]) -> None:
        """Remove the manifests of these pods."""
        for name in names:
            os.unlink(f"{self._folder}/{name}.json")

    def clear(self) -> None:
        """Remove all manifests."""
        for name in os.listdir(self._folder):
            os.unlink(f"{self._folder}/{name}")

    def _next_name(self) -> str:
        self._made += 1
        return f"static-{self._run_id}-{self._made}"

    def _appear(self, name: str) -> int:
        staged = f"{self._staging}/{name}.json"
        now_ns = time.time_ns()
        os.utime(staged, ns=(now_ns, now_ns))
        os.rename(staged, f"{self._folder}/{name}.json")
        return now_ns
