"""Pods of an API server that a test's agent has joined."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from podwright.k8s.objects import Pod
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.documents import read_filter
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.scratch import Part

NODE = "node-a"
FOREVER = "trap exit TERM; sleep 1000 & wait"


@contextlib.contextmanager
def joined_agent(
    part: Part, endpoint: str, api: ApiServerThread, folder: Path, config: dict[str, Any] | None = None
) -> Iterator[AgentProcess]:
    """An agent that is the node. Its kubeconfig is put into `folder`, and all pods end with the block."""
    flags = [f"--kubeconfig={api.kubeconfig(str(folder))}", f"--hostname-override={NODE}"]
    with AgentProcess(part, endpoint, config, flags=flags) as process:
        yield process
        delete_all(process, api)


def delete_all(agent: AgentProcess, api: ApiServerThread) -> None:
    """Have all pods of the API end."""
    pods = api.call(lambda server: server.store.list("v1/pods", read_filter("", "", "")))
    for document in pods:
        delete(api, document["metadata"]["name"], grace_s=1)
    agent.until(
        lambda: not api.call(lambda server: server.store.list("v1/pods", read_filter("", "", ""))), "the pods are gone"
    )


def delete(api: ApiServerThread, name: str, *, grace_s: int | None = None) -> None:
    options = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
    api.call(lambda server: server.api.delete(server._target("v1", "Pod", reference(name)), options))


def reference(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "default"}


def bind(api: ApiServerThread, name: str, spec: str) -> None:
    """Create a pod that a scheduler has put onto the node."""
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 2, **yaml.safe_load(spec)},
    }
    api.call(lambda server: server.put_document(document))


def plain(image: str, script: str = FOREVER) -> str:
    return f"containers: [{{name: main, image: {image}, command: [sh, -c, '{script}']}}]"


def pod(api: ApiServerThread, name: str) -> Pod | None:
    found: Pod | None = api.get(Pod, name, "default")
    return found


def is_ready(api: ApiServerThread, name: str) -> bool:
    found = pod(api, name)
    return found is not None and any(
        each.type == "Ready" and each.status == "True" for each in found.status.conditions
    )


def events(api: ApiServerThread, name: str) -> list[str]:
    """Reasons of the events of one object."""
    return [each["reason"] for each in event_documents(api, name)]


def event_documents(api: ApiServerThread, name: str, reason: str = "") -> list[dict[str, Any]]:
    """The events of one object, all or those of one reason."""
    found: list[dict[str, Any]] = api.call(lambda server: server.store.list("v1/events", read_filter("", "", "")))
    mine = (each for each in found if each["involvedObject"]["name"] == name)
    return [each for each in mine if reason in ("", each["reason"])]
