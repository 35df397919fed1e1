"""A CRI server under test: one life cycle for ours and for its peers."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import grpc

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.client import CHANNEL_OPTIONS, CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc
from tests.harness.daemon import Daemon
from tests.harness.sweep import sweep
from tools.leaks import report

CALL_TIMEOUT_S, PROBE_TIMEOUT_S = patient(60.0), patient(10.0)


class LeftBehind(AssertionError):
    """A server left things on the host after all its pods were removed and it was stopped."""


class CriServer(Daemon):
    """A daemon that speaks CRI."""

    variant = ""  # what deviations call it, when it is one of several of its name
    leaves_bridge = False  # the CNI bridge plugin keeps its bridge when the last pod goes, so `close` deletes it
    leaves_cgroups = False  # likewise, of containers that did not start

    def client(self) -> CriClient:
        """A new client; needs a running event loop."""
        return CriClient(self.endpoint)

    def peer(self, client: CriClient) -> CriPeer:
        """Itself as the conformance cases see it."""
        return CriPeer(
            name=self.name,
            endpoint=self.endpoint,
            client=client,
            logs=self.directory / "logs",
            cgroup_parent=self.part.pod_parent,
            variant=self.variant,
        )

    def answers(self) -> bool:
        """Whether Version answers now."""
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.socket)) != 0:
                return False
        try:
            with self._channel() as channel:
                api_pb2_grpc.RuntimeServiceStub(channel).Version(api.VersionRequest(), timeout=PROBE_TIMEOUT_S)
        except grpc.RpcError:
            return False
        return True

    def restart(self) -> None:
        """Stop if it runs, and start again on the same directories."""
        if self.runs:
            self.stop()
        self.start()

    def close(self) -> None:
        """Remove all pods, stop, and clean up. Raises LeftBehind when the server itself did not clean up."""
        try:
            if self.runs:
                self.remove_pods()
        finally:
            if self.runs:
                self.stop()
            if self.leaves_bridge:
                subprocess.run(["ip", "link", "delete", self.part.bridge], check=False, capture_output=True)
            swept = [it for it in sweep(self.part.scope) if not (self.leaves_cgroups and it.kind == "cgroup")]
            files = self.leftover_files()
            shutil.rmtree(self.directory, ignore_errors=bool(swept))
        if swept:
            raise LeftBehind(f"{self.name}: {report(swept)}")
        if files:
            raise LeftBehind(f"{self.name} left files of pods that were removed: {', '.join(map(str, files))}")

    def leftover_files(self) -> list[Path]:
        """Files that should have gone with their pods; subclasses know where to look."""
        return []

    def remove_pods(self) -> None:
        """Stop and remove every sandbox. Raises LeftBehind when records of pods or containers remain."""
        with self._channel() as channel:
            stub = api_pb2_grpc.RuntimeServiceStub(channel)
            for pod in stub.ListPodSandbox(api.ListPodSandboxRequest(), timeout=CALL_TIMEOUT_S).items:
                stub.StopPodSandbox(api.StopPodSandboxRequest(pod_sandbox_id=pod.id), timeout=CALL_TIMEOUT_S)
                stub.RemovePodSandbox(api.RemovePodSandboxRequest(pod_sandbox_id=pod.id), timeout=CALL_TIMEOUT_S)
            pods = stub.ListPodSandbox(api.ListPodSandboxRequest(), timeout=CALL_TIMEOUT_S).items
            containers = stub.ListContainers(api.ListContainersRequest(), timeout=CALL_TIMEOUT_S).containers
        if pods or containers:
            raise LeftBehind(f"{self.name}: {len(pods)} pods and {len(containers)} containers are still listed")

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.endpoint, options=CHANNEL_OPTIONS)
