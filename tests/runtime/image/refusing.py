"""What every refused pull owes: one clear error, a store as it was, and no connection left."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from podwright import errors
from tests.harness.sockets import none_to
from tests.runtime.image.node import Node
from tools.images import Entry as TarEntry
from tools.images import Image, Index, image_of, layer_of

SHARED = layer_of([TarEntry("shared", 0o644, "file", bytes(range(256)) * 400)])
KEPT = image_of([SHARED], {"Cmd": ["kept"]})


class Origin(NamedTuple):
    """A registry, scripted or real, in which images can be put as `repository:tag`."""

    host: str
    serve: Callable[[str, Image | Index], str]

    @property
    def port(self) -> int:
        """Its TCP port."""
        return int(self.host.rpartition(":")[2])


async def keep_one(node: Node, origin: Origin) -> None:
    """Pull an image whose layer the refused ones share: it has to stay."""
    origin.serve("kept:1", KEPT)
    await node.service.pull(f"{origin.host}/kept:1")
    await none_to(origin.port)


async def refused(
    node: Node, host: str, error: type[errors.PodwrightError], words: str, *, name: str = "app:1", digest: bool = True
) -> None:
    """A pull of `name` from the registry `host` fails and changes nothing.

    The error names registry and repository, and the digest of what is wrong unless there was none to know.
    """
    before = node.listing()
    with pytest.raises(error, match=words) as failure:
        await node.service.pull(f"{host}/{name}")
    assert type(failure.value) is not errors.Internal
    repository = name.rpartition(":")[0]
    text = str(failure.value)
    assert host in text
    assert repository in text
    assert bool(re.search(r"sha256:[0-9a-f]{64}", text)) >= digest, text
    assert "\n" not in text
    assert len(text) < 2000
    await none_to(int(host.rpartition(":")[2]))
    assert node.listing() == before
