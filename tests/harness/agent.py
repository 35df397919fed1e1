"""`podwright agent` from this tree on private directories, with a folder of manifests."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
import yaml

from podwright.agent.resources import cgroupfs
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.volumes.shared_root import undo_shared
from podwright.conformance.patience import patient
from podwright.cri.client import CHANNEL_OPTIONS
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc
from podwright.linux import cgroup
from tests.harness.scratch import Part
from tools.background import Background

READY_TIMEOUT_S = patient(60.0)
POLL_S = patient(0.05)
CALL_TIMEOUT_S = patient(60.0)


class AgentProcess:
    """An agent at one CRI server. Use as a context manager: at the end the manifests go, then the pods, then it."""

    def __init__(
        self, part: Part, endpoint: str, config: dict[str, Any] | None = None, *, flags: Sequence[str] = ()
    ) -> None:
        """`config` is laid over a KubeletConfiguration of the harness's own."""
        self._flags = flags
        self.part = part
        self.endpoint = endpoint
        self.manifests = part.directory / "manifests"
        self.root = part.directory / "root"
        self.socket = part.directory / "agent.sock"
        self.logs = part.directory / "logs"
        self.log = part.directory / "agent.log"
        self._config = part.directory / "kubelet.yaml"
        self._process: Background | None = None
        self.manifests.mkdir()
        document = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "staticPodPath": str(self.manifests),
            "failCgroupV1": False,
            "failSwapOn": False,
            "cgroupDriver": part.driver,
            "cgroupRoot": part.cgroup_parent,
            "podLogsDir": str(self.logs),
            "healthzPort": 0,
            "enableServer": False,
            "resolvConf": "",
            "evictionHard": {"memory.available": "10Mi"},  # the machine's disks are full of other people's things
            **(config or {}),
        }
        self._config.write_text(yaml.safe_dump(document))

    def __enter__(self) -> Self:
        make_parent(self.part)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process is None or self._process.returncode is not None:
                self.start()
            for path in self.manifests.iterdir():
                path.unlink()
            self.until(self._is_empty, "the pods are gone")
        finally:
            self.stop()
            undo_shared(str(self.root))
            remove_parent(self.part)

    def _is_empty(self) -> bool:
        """Whether the runtime holds nothing of its pods. An agent that stops before that cuts a pod's end off."""
        pods = self.root / "pods"
        return not self.pods() and not (pods.exists() and any(pods.iterdir())) and not self._sandboxes()

    def _sandboxes(self) -> list[str]:
        """The ids of the sandboxes whose logs are in its folder. A runtime that does not answer has none."""
        request = api.ListPodSandboxRequest()
        with grpc.insecure_channel(self.endpoint, options=CHANNEL_OPTIONS) as channel:
            try:
                listed = api_pb2_grpc.RuntimeServiceStub(channel).ListPodSandbox(request, timeout=CALL_TIMEOUT_S)
            except grpc.RpcError:
                return []
        ours = {path.name.rpartition("_")[2] for path in self.logs.iterdir()} if self.logs.exists() else set()
        return [item.id for item in listed.items if item.metadata.uid in ours]

    def start(self) -> None:
        """Start it; returns when it answers."""
        argv = [
            *(sys.executable, "-m", "podwright", "agent", f"--config={self._config}", f"--root-dir={self.root}"),
            f"--cert-dir={self.part.directory / 'pki'}",
            *(f"--agent-socket={self.socket}", f"--container-runtime-endpoint={self.endpoint}", "--v=4"),
            *self._flags,
        ]
        self._process = Background(argv, log=self.log)
        self._process.wait_ready(self._answers, timeout_s=READY_TIMEOUT_S)

    def stop(self) -> None:
        """SIGTERM: pods run on."""
        if self._process is not None:
            self._process.stop()

    def kill9(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill9()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The code that it has ended with."""
        assert self._process is not None
        return self._process.returncode

    def write(self, name: str, text: str) -> None:
        """Put a manifest into the folder, whole."""
        temporary = self.manifests / f".{name}"
        temporary.write_text(text)
        os.rename(temporary, self.manifests / name)

    def remove(self, name: str) -> None:
        """Take a manifest away."""
        (self.manifests / name).unlink()

    def get(self, path: str) -> bytes:
        """Send a GET to its socket. Returns the body."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            asked = http.client.HTTPConnection("agent")
            asked.sock = connection
            asked.request("GET", path)
            return asked.getresponse().read()

    def pods(self) -> dict[str, Any]:
        """Its pods by name, as the API's documents."""
        items = json.loads(self.get("/pods")).get("items") or []
        return {item["metadata"]["name"]: item for item in items}

    def describe(self, name: str) -> Any:
        """Its description of one pod for people."""
        return json.loads(self.get(f"/describe/default/{name}"))

    def until(self, condition: Callable[[], object], what: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._process is not None
            if (code := self._process.returncode or 0) > 0:
                raise AssertionError(f"the agent ended with {code}\n{self._process.log_tail(8192)}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout_s:g} s: {what}\n{self._process.log_tail(8192)}")
            time.sleep(POLL_S)

    def _answers(self) -> bool:
        try:
            return self.get("/healthz") == b"ok"
        except (OSError, http.client.HTTPException):
            return False


def make_parent(part: Part) -> None:
    """The cgroup that is the agent's root, as an administrator makes it."""
    if part.driver == "systemd":
        systemctl("start", part)
    else:
        cgroupfs.make(cgroup.detect(), part.cgroup_parent, CgroupLimits())


def remove_parent(part: Part) -> None:
    """The same, with what is left in it."""
    if part.driver == "systemd":
        systemctl("stop", part)
    else:
        cgroupfs.remove(cgroup.detect(), part.cgroup_parent)


def systemctl(verb: str, part: Part) -> None:
    """Start or stop the part's slice."""
    name = part.pod_parent.rpartition("/")[2]
    subprocess.run(["systemctl", verb, name], check=True, capture_output=True, timeout=READY_TIMEOUT_S)
