"""The least program that does a kubelet's work for the bench: pods of manifests through CRI, and `/pods`.

    python stand_in.py MANIFESTS ENDPOINT PORT LOGS CGROUP [forget]

It looks at the folder every few milliseconds, and finds its pods at the runtime by their labels, also after a restart;
with `forget`, it then starts all of them anew.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import grpc

from podwright.conformance.patience import patient
from podwright.cri.client import CHANNEL_OPTIONS
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc

LOOK_S = 0.01
LIMIT_S = patient(60.0)


class StandIn:
    """`pods` are those that run: by name, their labels, sandbox and container."""

    def __init__(self, manifests: str, endpoint: str, logs: str, cgroup: str) -> None:
        self._manifests = Path(manifests)
        self._logs = logs
        self._cgroup = cgroup
        self._runtime = api_pb2_grpc.RuntimeServiceStub(grpc.insecure_channel(endpoint, options=CHANNEL_OPTIONS))
        self.pods: dict[str, tuple[dict[str, str], str, str]] = {}

    def recover(self) -> None:
        """Take over what runs already."""
        containers = self._runtime.ListContainers(api.ListContainersRequest(), timeout=LIMIT_S).containers
        by_sandbox = {container.pod_sandbox_id: container.id for container in containers}
        for sandbox in self._runtime.ListPodSandbox(api.ListPodSandboxRequest(), timeout=LIMIT_S).items:
            if sandbox.annotations.get("stand-in") == self._cgroup and sandbox.id in by_sandbox:
                self.pods[sandbox.metadata.name] = (dict(sandbox.labels), sandbox.id, by_sandbox[sandbox.id])

    def look(self) -> None:
        """Start pods whose manifests are new, and end those whose manifests are gone."""
        wanted = {path.stem: path for path in self._manifests.glob("*.json")}
        for name in self.pods.keys() - wanted.keys():
            self.end(name)
        for name in wanted.keys() - self.pods.keys():
            self.pods[name] = self._start(json.loads(wanted[name].read_bytes()))

    def end(self, name: str) -> None:
        """Stop and remove one pod."""
        _, sandbox, _ = self.pods.pop(name)
        self._runtime.StopPodSandbox(api.StopPodSandboxRequest(pod_sandbox_id=sandbox), timeout=LIMIT_S)
        self._runtime.RemovePodSandbox(api.RemovePodSandboxRequest(pod_sandbox_id=sandbox), timeout=LIMIT_S)

    def _start(self, pod: dict[str, Any]) -> tuple[dict[str, str], str, str]:
        metadata, [container] = pod["metadata"], pod["spec"]["containers"]
        name, labels = metadata["name"], metadata["labels"]
        config = api.PodSandboxConfig(
            metadata=api.PodSandboxMetadata(name=name, namespace=metadata["namespace"], uid=name),
            labels=labels,
            annotations={"stand-in": self._cgroup},
            log_directory=f"{self._logs}/{name}",
        )
        config.linux.cgroup_parent = self._cgroup
        Path(config.log_directory).mkdir(exist_ok=True)
        sandbox = self._runtime.RunPodSandbox(api.RunPodSandboxRequest(config=config), timeout=LIMIT_S).pod_sandbox_id
        request = api.CreateContainerRequest(pod_sandbox_id=sandbox, sandbox_config=config)
        request.config.metadata.name = container["name"]
        request.config.image.image = container["image"]
        request.config.command.extend(container["command"])
        request.config.log_path = "main.log"
        made = self._runtime.CreateContainer(request, timeout=LIMIT_S).container_id
        self._runtime.StartContainer(api.StartContainerRequest(container_id=made), timeout=LIMIT_S)
        return labels, sandbox, made

    def pod_list(self) -> bytes:
        """A PodList of what runs."""
        items = [
            {
                "metadata": {"labels": labels},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [{"containerID": f"cri://{container}", "state": {"running": {}}}],
                },
            }
            for labels, _, container in list(self.pods.values())
        ]
        return json.dumps({"kind": "PodList", "items": items}).encode()


def serve(stand_in: StandIn, port: int) -> None:
    """Answer every GET with the PodList, in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = stand_in.pod_list()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 # the base class's name
            """Say nothing."""

    threading.Thread(target=HTTPServer(("127.0.0.1", port), Handler).serve_forever, daemon=True).start()


def main() -> None:
    """Run until killed."""
    manifests, endpoint, port, logs, cgroup, *more = sys.argv[1:]
    stand_in = StandIn(manifests, endpoint, logs, cgroup)
    stand_in.recover()
    if more == ["forget"]:
        for name in list(stand_in.pods):
            stand_in.end(name)
    serve(stand_in, int(port))
    while True:
        stand_in.look()
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
