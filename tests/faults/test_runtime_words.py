"""What an OCI runtime says while it creates a container: not the container's output, and still in errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from tests.faults.node import running_node
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Settings

pytestmark = [pytest.mark.root]

MAPPING = api.IDMapping(host_id=70000, container_id=0, length=65536)
USERS = api.UserNamespace(mode=api.POD, uids=[MAPPING], gids=[MAPPING])
# As newer runc does when a container joins a user namespace: to its log, which is stderr without --log.
SCRIPT = """\
#!/bin/sh
log=/dev/stderr
for word do
    case $word in
        --log=*) log=${{word#--log=}}; log=${{log#file:}} ;;
        create|run) echo 'time="2026-01-01T00:00:00Z" level=warning msg="made up"' >>"$log"; break ;;
    esac
done
exec {runtime} "$@"
"""


def _settings(folder: Path, runtime: str) -> Settings:
    path = folder / "runtime"
    path.write_text(SCRIPT.format(runtime=shutil.which(runtime)))
    path.chmod(0o755)
    return {"handlers": {"warning": {"path": str(path)}}}


@pytest.mark.parametrize("runtime", ["crun", "runc"])
async def test_a_warning_is_not_the_containers_output(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path, runtime: str
) -> None:
    namespaces = api.NamespaceOption(pid=api.CONTAINER, userns_options=USERS)
    async with running_node(fresh_podwright(_settings(tmp_path, runtime)), busybox_image) as node:
        pod = await node.pod(handler="warning", namespaces=namespaces)
        container = await pod.run(("sh", "-c", "echo out; echo err >&2"))
        status = await pod.exited(container)
        assert sorted(pod.text(container, status).split()) == ["err", "out"]
        with pytest.raises(PodwrightError, match="/not/there") as failed:
            await pod.run(("/not/there",), name="absent")
        assert "made up" not in str(failed.value)
        await node.emptied()
