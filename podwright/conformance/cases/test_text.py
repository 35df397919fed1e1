"""Text beyond ASCII: protobuf's strings are UTF-8, and CRI restricts neither names nor labels nor paths to ASCII."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api

TEXTS = ("büchse", "コンテナ", "two words", "🐳")


@pytest.mark.parametrize("text", TEXTS)
async def test_the_names_of_a_container_and_its_log(pod: CasePod, text: str) -> None:
    container_id = await pod.run(("echo", text), name=text, labels={text: text}, annotations={text: text})
    status = await pod.exited(container_id)
    assert (status.exit_code, status.metadata.name) == (0, text)
    assert (status.labels[text], status.annotations[text]) == (text, text)
    assert Path(status.log_path).name == f"{text}.log"
    assert pod.text(container_id, status) == f"{text}\n"


@pytest.mark.parametrize("text", TEXTS)
async def test_the_names_of_a_pod_and_its_log_directory(cri_server: CriPeer, run_pod: RunPod, text: str) -> None:
    metadata = api.PodSandboxMetadata(name=text, uid=f"uid-{text}", namespace=text)
    logs = str(cri_server.logs / text / "logs")
    async with run_pod(metadata=metadata, log_directory=logs, labels={text: text}, annotations={text: text}) as pod:
        assert await pod.output("echo", text) == f"{text}\n"
        request = api.ListPodSandboxRequest(filter=api.PodSandboxFilter(label_selector={text: text}))
        (listed,) = (await pod.cri.call(pod.cri.runtime.ListPodSandbox, request)).items
        assert (listed.id, listed.metadata) == (pod.id, metadata)


async def test_a_colon_in_the_log_directory(cri_server: CriPeer, run_pod: RunPod) -> None:
    async with run_pod(log_directory=str(cri_server.logs / "a:b" / "logs")) as pod:
        container_id = await pod.run_ready()
        path = Path((await pod.status(container_id)).log_path)
        path.rename(path.with_name("old"))
        request = api.ReopenContainerLogRequest(container_id=container_id)
        await pod.cri.call(pod.cri.runtime.ReopenContainerLog, request)
        assert path.exists()
        assert await pod.output("echo", "hi") == "hi\n"


@pytest.mark.parametrize("text", TEXTS)
async def test_paths_on_the_host_and_in_the_container(pod: CasePod, tmp_path: Path, text: str) -> None:
    (tmp_path / text).mkdir()
    (tmp_path / text / "who").write_text(text)
    mounts = [api.Mount(container_path=f"/{text}", host_path=str(tmp_path / text))]
    assert await pod.output("cat", f"/{text}/who", mounts=mounts, working_dir=f"/{text}") == text


@pytest.mark.parametrize("text", TEXTS)
async def test_arguments_and_environment(pod: CasePod, text: str) -> None:
    envs = [api.KeyValue(key="TEXT", value=text.encode())]
    container_id = await pod.run(envs=envs)
    done = await pod.exec(container_id, "sh", "-c", 'echo "$TEXT" "$1"', "sh", text)
    assert done.stdout.decode() == f"{text} {text}\n"
