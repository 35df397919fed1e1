"""Who containers of an image run as, whose passwd and group files have names that look like numbers."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from tools.images import Entry, busybox_image, layer_of
from tools.registry import Registry

PASSWD = b"1000:x:0:0::/root:/bin/sh\nroot:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/:\n"
GROUP = b"4000:x:42:\nroot:x:0:\nweb:x:33:\n"
SCRIPT = "id -u; id -g"


def _image(registry: Registry, name: str, **config: Any) -> str:
    layer = layer_of([Entry("etc/passwd", 0o644, "file", PASSWD), Entry("etc/group", 0o644, "file", GROUP)])
    registry.push(f"users/{name}:1", busybox_image(layer, **config))
    return f"{registry.host}/users/{name}:1"


@pytest.mark.parametrize(
    ("fields", "image_user", "ids"),
    [
        ({"run_as_user": api.Int64Value(value=1000)}, "", "1000 0"),
        (
            {"run_as_user": api.Int64Value(value=1000), "run_as_group": api.Int64Value(value=4000)},
            "",
            "1000 4000",
        ),
        ({}, "1000", "1000 0"),
        ({}, "1000:4000", "1000 4000"),
        ({}, "web:4000", "33 4000"),
        ({"run_as_username": "web"}, "1000", "33 33"),
    ],
    ids=["uid", "uid-gid", "image", "image-gid", "image-name-gid", "name"],
)
async def test_a_number_is_never_a_name(
    cri_server: CriPeer, registry: Registry, fields: dict[str, object], image_user: str, ids: str
) -> None:
    """Otherwise an image makes root of a number that is not 0, and passes every check of runAsNonRoot."""
    image = _image(registry, f"of-{image_user.replace(':', '-') or 'none'}", User=image_user)
    namespaces = api.NamespaceOption(pid=api.CONTAINER)
    context = api.LinuxContainerSecurityContext(namespace_options=namespaces, **fields)  # type: ignore[arg-type] # keywords
    async with running_pod(cri_server, image) as pod:
        said = await pod.output("sh", "-c", SCRIPT, linux=api.LinuxContainerConfig(security_context=context))
        assert " ".join(said.split()) == ids
