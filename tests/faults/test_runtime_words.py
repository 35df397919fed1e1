"""What an OCI runtime says while it starts a process: not the process's output, and still in errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from podwright.conformance.streams import Speech, streamed_exec
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
        create|run|exec) echo 'time="2026-01-01T00:00:00Z" level=warning msg="made up"' >>"$log"; break ;;
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
async def test_a_warning_is_nobodys_output(
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


@pytest.mark.parametrize("runtime", ["crun", "runc"])
async def test_a_warning_is_no_output_of_a_command(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path, runtime: str
) -> None:
    speak = ("sh", "-c", "echo out; echo err >&2; exit 3")
    server = fresh_podwright(_settings(tmp_path, runtime))
    async with running_node(server, busybox_image) as node:
        pod = await node.pod(handler="warning")
        container = await pod.run()
        answer = await pod.exec(container, *speak)
        assert (answer.stdout, answer.stderr, answer.exit_code) == (b"out\n", b"err\n", 3)
        streamed = await streamed_exec(pod, container, *speak, speech=Speech())
        assert (streamed.out, streamed.err, streamed.outcome.exit_code) == (b"out\n", b"err\n", 3)
        on_terminal = await streamed_exec(pod, container, "echo", "out", speech=Speech(), tty=True)
        assert on_terminal.out == b"out\r\n"
        with pytest.raises(PodwrightError, match="/not/there") as failed:
            await pod.exec(container, "/not/there")
        assert "made up" not in str(failed.value)
        await node.audited()
        assert "record=made up" in server.log.read_text()
        await node.emptied()
