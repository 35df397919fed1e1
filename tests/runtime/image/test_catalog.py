"""What work in progress keeps from being deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.process import PosixProcessRunner
from podwright.runtime.config import ImageSettings
from podwright.runtime.image.catalog import ImageCatalog
from podwright.runtime.state import Database
from podwright.runtime.storage.blobs import BlobStore
from podwright.runtime.storage.layers import LayerStore

BLOB = f"sha256:{'0' * 64}"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[ImageCatalog]:
    """An empty one."""
    database, settings = Database(str(tmp_path)), ImageSettings()
    layers = LayerStore(database, str(tmp_path), settings, PosixProcessRunner())
    yield ImageCatalog(database, BlobStore(str(tmp_path)), layers, settings)
    database.close()


async def test_a_lease_ends_with_its_own_work(catalog: ImageCatalog) -> None:
    """Also when another one names the same at that moment, as two pulls of one image do."""
    async with catalog.leased() as first:
        async with catalog.leased() as second:
            assert first.blobs == second.blobs
        first.blobs.add(BLOB)
        assert catalog.needed_blobs() == {BLOB}
    assert catalog.needed_blobs() == set()
