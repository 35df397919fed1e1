"""Every command against a real CRI server: ours, and one that is not."""

from __future__ import annotations

import asyncio

import pytest
import yaml

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from tests.cli.conftest import RUN_TIMEOUT_S, Cli, DemoPod

pytestmark = pytest.mark.root


async def test_pods(cli: Cli, demo_pod: DemoPod) -> None:
    table = (await cli("pods")).out.splitlines()
    row = next(line for line in table if line.startswith(demo_pod.sandbox_id[:13])).split()
    assert row[2:] == ["Ready", demo_pod.name, "cli", "0"]
    listed = (await cli("pods", "-o", "json", "--name", demo_pod.name, "-l", "app=demo")).json()
    assert [item["id"] for item in listed["items"]] == [demo_pod.sandbox_id]
    assert listed["items"][0]["metadata"]["namespace"] == "cli"
    assert (await cli("pods", "-q", "--name", demo_pod.name)).out == f"{demo_pod.sandbox_id}\n"
    assert (await cli("pods", "-q", "--name", demo_pod.name, "--state", "notready")).out == ""
    assert (await cli("pods", "-q", "-l", "app=other")).out == ""


async def test_ps(cli: Cli, demo_pod: DemoPod) -> None:
    table = (await cli("ps", "--pod", demo_pod.name, "-o", "wide")).out.splitlines()
    row = table[1].split()
    assert row[0] == demo_pod.container_id[:13]
    assert row[2:7] == ["Running", "main", "1", demo_pod.name, "cli"]
    assert row[8] == demo_pod.sandbox_id[:13]
    listed = yaml.safe_load((await cli("ps", "-o", "yaml", "--pod", demo_pod.sandbox_id[:20])).out)
    assert [each["state"] for each in listed["containers"]] == ["CONTAINER_RUNNING"]
    assert (await cli("ps", "-q", "-p", demo_pod.name, "--state", "exited")).out == ""


async def test_images_pull_and_rmi(cli: Cli, registry_image: str) -> None:
    pulled = await cli("pull", "-q", registry_image)
    assert pulled.code == 0
    assert pulled.err == ""
    image_id = pulled.out.strip()
    again = await cli("pull", registry_image)
    assert image_id in again.out
    assert again.err == f"pulling {registry_image}\n"
    repository, tag = registry_image.rsplit(":", 1)
    rows = [line.split() for line in (await cli("images")).out.splitlines()]
    assert [repository, tag] in [row[:2] for row in rows]
    assert [image["id"] for image in (await cli("images", registry_image, "-o", "json")).json()["images"]] == [
        image_id
    ]
    assert (await cli("inspect", registry_image)).json()["status"]["id"] == image_id
    removed = await cli("rmi", image_id[:20], "surely/not:there")
    assert removed.out == f"{image_id}\n"
    assert removed.code == 1
    assert "surely/not:there" in removed.err
    assert (await cli("images", "-q", registry_image)).out == ""


async def test_pulling_what_is_not_there(cli: Cli, registry_image: str) -> None:
    done = await cli("pull", registry_image.rsplit(":", 1)[0] + ":nosuchtag")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("podwright: ")
    assert len(done.err.splitlines()) == 2


async def test_bad_credentials_are_refused_before_anything_is_asked(cli: Cli, registry_image: str) -> None:
    done = await cli("pull", "--creds-stdin", registry_image, stdin=b"nonsense")
    assert done.code == 2
    assert "nonsense" not in done.err


async def test_inspect(cli: Cli, demo_pod: DemoPod) -> None:
    container = (await cli("inspect", demo_pod.container_id[:12])).json()
    assert container["status"]["id"] == demo_pod.container_id
    assert container["status"]["finishedAt"] == "0001-01-01T00:00:00Z"
    assert container["status"]["startedAt"].startswith("20")
    pod = (await cli("inspect", demo_pod.name)).json()
    assert pod["status"]["state"] == "SANDBOX_READY"
    both = yaml.safe_load((await cli("inspect", "-o", "yaml", demo_pod.sandbox_id, demo_pod.container_id)).out)
    assert [each["status"]["id"] for each in both] == [demo_pod.sandbox_id, demo_pod.container_id]
    wrong = await cli("inspect", "--type", "pod", demo_pod.container_id)
    assert (wrong.code, wrong.out) == (1, "")
    assert (await cli("inspect", "zzz-not-there")).code == 1


async def test_exec_passes_on_output_and_exit_code(cli: Cli, demo_pod: DemoPod) -> None:
    name = f"{demo_pod.name}/main"
    done = await cli("exec", name, "--", "sh", "-c", "printf out; printf err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out", "err")
    assert (await cli("exec", demo_pod.container_id, "true")).code == 0
    missing = await cli("exec", "zzz-not-there", "--", "true")
    assert missing.code == 125
    pod = await cli("exec", demo_pod.name, "--", "true")
    assert pod.err.endswith(f"(this pod has {name})\n")


async def test_logs(cli: Cli, demo_pod: DemoPod) -> None:
    name = f"{demo_pod.name}/main"
    await wait_for_lines(cli, name)
    done = await cli("logs", name)
    assert (done.out, done.err) == ("first\nthird\n", "second\n")
    last = await cli("logs", "--tail", "2", "--timestamps", name)
    assert last.out.startswith("20")
    assert last.out.endswith(" third\n")
    assert last.err.endswith(" second\n")
    assert (await cli("logs", "--tail", "0", name)).out == ""
    assert (await cli("logs", "--previous", name)).code == 1


async def wait_for_lines(cli: Cli, name: str) -> None:
    """Until the container has written all its lines."""
    async with asyncio.timeout(RUN_TIMEOUT_S):
        while "third" not in (await cli("logs", name)).out:  # noqa: ASYNC110 # nobody tells us
            await asyncio.sleep(0.05)


async def test_following_logs_ends_with_the_container(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod) -> None:
    name = f"{demo_pod.name}/main"
    following = asyncio.create_task(cli("logs", "-f", name))
    await wait_for_lines(cli, name)
    request = api.StopContainerRequest(container_id=demo_pod.container_id, timeout=10)
    await cri_server.client.call(cri_server.client.runtime.StopContainer, request)
    async with asyncio.timeout(patient(60)):
        done = await following
    assert (done.code, done.out, done.err) == (0, "first\nthird\n", "second\n")


async def test_stop_and_rm(cli: Cli, demo_pod: DemoPod) -> None:
    refused = await cli("rm", demo_pod.container_id)
    assert refused.code == 1
    assert "use -f" in refused.err
    assert (await cli("stop", "-t", "5", demo_pod.container_id[:14])).out == f"{demo_pod.container_id}\n"
    assert (await cli("inspect", demo_pod.container_id)).json()["status"]["state"] == "CONTAINER_EXITED"
    assert demo_pod.container_id in (await cli("ps", "-aq")).out
    assert demo_pod.container_id not in (await cli("ps", "-q")).out
    assert (await cli("rm", demo_pod.container_id)).out == f"{demo_pod.container_id}\n"
    assert demo_pod.container_id not in (await cli("ps", "-aq")).out
    assert (await cli("rm", demo_pod.sandbox_id)).code == 1
    assert (await cli("stop", demo_pod.name)).out == f"{demo_pod.sandbox_id}\n"
    assert (await cli("rm", demo_pod.name)).out == f"{demo_pod.sandbox_id}\n"
    assert (await cli("stop", demo_pod.sandbox_id)).code == 1


async def test_rm_by_force(cli: Cli, demo_pod: DemoPod) -> None:
    done = await cli("rm", "-f", "zzz-not-there", demo_pod.name)
    assert done.out == f"{demo_pod.sandbox_id}\n"
    assert done.code == 1
    assert (await cli("pods", "-q", "--name", demo_pod.name)).out == ""


async def test_version(cli: Cli, cri_server: CriPeer) -> None:
    assert (await cli("version", "-o", "json")).json()["runtimeName"] == cri_server.name
    assert cri_server.endpoint in (await cli("version")).out
