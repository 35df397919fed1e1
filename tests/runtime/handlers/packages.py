"""Packages with handlers or hooks, as an installer leaves them: a module, and the metadata with its entry points."""

from __future__ import annotations

import shutil
from pathlib import Path


def install(
    module: Path,
    site: Path,
    *,
    group: str = "podwright.handlers",
    kind: str = "bubblewrap",
    factory: str = "bubblewrap",
) -> None:
    """Put a module and its metadata into `site`, which is to be on the path for imports."""
    site.mkdir(parents=True, exist_ok=True)
    shutil.copy(module, site)
    metadata = site / f"{module.stem}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.stem}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{kind} = {module.stem}:{factory}\n")
