"""An ImageService on a root of its own."""

from __future__ import annotations

import stat
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

import msgspec

from podwright.process import PosixProcessRunner
from podwright.runtime.config import ImageSettings, RegistrySettings, parse_config
from podwright.runtime.image import ImageService
from podwright.runtime.state import Database

TABLES = ("images", "layers", "image_holds")


class Node:
    """What a daemon has of images; `restart` is what happens when it is killed and started again."""

    def __init__(
        self,
        root: Path,
        registry: dict[str, object],
        images: dict[str, object],
        signatures: dict[str, object],
    ) -> None:
        usual = RegistrySettings(config_path="")
        self._registry = msgspec.structs.replace(usual, **registry)
        self._images = msgspec.structs.replace(ImageSettings(), **images)
        self._signatures = parse_config({"signatures": signatures}, "test").signatures
        self.root = root
        self.open()

    def open(self) -> None:
        """Start it; `recover` is the caller's."""
        self.is_open = True
        self.database = Database(str(self.root))
        self.service = ImageService(
            self.database, str(self.root), self._registry, self._images, self._signatures, PosixProcessRunner()
        )

    async def restart(self) -> None:
        """The service's memory is gone, what is on the disk stays."""
        await self.close()
        self.open()
        await self.service.recover()

    async def close(self) -> None:
        """End everything; may be called again."""
        if self.is_open:
            self.is_open = False
            await self.service.close()
            self.database.close()

    @property
    def layers_dir(self) -> Path:
        return self.root / "layers"

    def blobs(self) -> list[str]:
        """Digests (hex) of the stored blobs."""
        return sorted(path.name for path in (self.root / "images/blobs/sha256").iterdir())

    def layers(self) -> list[str]:
        """What is in the layers' directory, temporary things too."""
        return sorted(path.name for path in self.layers_dir.iterdir() if path.name != "empty")

    def leftovers(self) -> list[object]:
        """Everything that an empty node does not have: files, directories, rows."""
        rows = [row for table in TABLES for row in self.database.execute(f"SELECT id FROM {table}")]
        return [*self.blobs(), *self.layers(), *rows, *(self.root / "images/ingest").iterdir()]

    def listing(self) -> dict[str, object]:
        """Every file with its size, every directory, and every row: what a failure must not change."""
        found: dict[str, object] = {}
        for path in self.root.rglob("*"):
            if not path.name.startswith("state.db"):
                one = path.lstat()
                size = one.st_size if stat.S_ISREG(one.st_mode) else None
                found[str(path.relative_to(self.root))] = (stat.S_IFMT(one.st_mode), size)
        rows = {table: sorted(self.database.execute(f"SELECT id FROM {table}")) for table in TABLES}
        return {**found, **rows}


class MakeNode(Protocol):
    """The fixture's type."""

    def __call__(
        self,
        root: Path | None = None,
        registry: dict[str, object] | None = None,
        images: dict[str, object] | None = None,
        signatures: dict[str, object] | None = None,
    ) -> Awaitable[Node]: ...
