"""The programs that are compared: how each is started, told to pull, and told to forget.

Each works on directories of its own below a scratch part. `forget` returns when the disk space is free again or the
program says so; nothing of it is timed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import grpc

from podwright.cri.client import CHANNEL_OPTIONS
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc
from tests.harness import crio
from tests.harness.containerd import Containerd
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer
from tools.background import Background
from tools.registry import write_hosts

TIMEOUT_S = 600.0


class Puller:
    """One program; use as a context manager. `daemon` is the process to watch, if there is one."""

    name: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, scratch: Scratch, registry_url: str) -> None:
        self.part = scratch.part(self.name)
        self.registry = registry_url.removeprefix("http://")
        self.certs_d = write_hosts(self.part.directory / "certs", registry_url).parent.parent
        self.stack = ExitStack()

    @classmethod
    def is_here(cls) -> bool:
        """Whether the programs that it needs are installed."""
        return all(shutil.which(program) for program in cls.needs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    @property
    def daemon(self) -> int | None:
        """The process id of the server."""
        return None

    def pull(self, image: str) -> None:
        """Download and unpack."""
        raise NotImplementedError

    def forget(self, images: Sequence[str]) -> None:
        """Delete images with their layers and blobs; absent ones are fine."""
        raise NotImplementedError


class CriPuller(Puller):
    """PullImage on a CRI server."""

    def __enter__(self) -> Self:
        self.server = self.stack.enter_context(self.make_server())
        self.server.start()
        channel = self.stack.enter_context(grpc.insecure_channel(self.server.endpoint, options=CHANNEL_OPTIONS))
        self.images = api_pb2_grpc.ImageServiceStub(channel)
        return self

    def make_server(self) -> CriServer:
        """The server, not yet started."""
        raise NotImplementedError

    @property
    def daemon(self) -> int | None:
        return self.server.process.pid

    def pull(self, image: str) -> None:
        self.images.PullImage(api.PullImageRequest(image=api.ImageSpec(image=image)), timeout=TIMEOUT_S)

    def forget(self, images: Sequence[str]) -> None:
        for image in images:
            self.images.RemoveImage(api.RemoveImageRequest(image=api.ImageSpec(image=image)), timeout=TIMEOUT_S)


class PodwrightPuller(CriPuller):
    """This tree's daemon."""

    name = "podwright"

    def make_server(self) -> CriServer:
        settings = {"registry": {"config_path": str(self.certs_d)}, "log_level": "info"}
        return Podwright(self.part, settings=settings)


class ContainerdPuller(CriPuller):
    """containerd's CRI plugin."""

    name = "containerd"
    needs = ("containerd", "ctr")

    def make_server(self) -> CriServer:
        return Containerd(self.part, pause_image="none", certs_d=self.certs_d)

    def forget(self, images: Sequence[str]) -> None:
        super().forget(images)
        self.ctr("--namespace", "k8s.io", "content", "prune", "references")  # its collector, now

    def ctr(self, *arguments: str) -> None:
        """Run containerd's own client."""
        _run("ctr", "--address", str(self.server.socket), *arguments)


class CtrPuller(ContainerdPuller):
    """containerd without CRI: the client fetches, the server unpacks."""

    name = "ctr"

    def pull(self, image: str) -> None:
        self.ctr("images", "pull", "--plain-http", image)

    def forget(self, images: Sequence[str]) -> None:
        for image in images:
            self.ctr("images", "rm", "--sync", image)


class CrioPuller(CriPuller):
    """CRI-O, where somebody has installed it."""

    name = "crio"
    needs = crio.PROGRAMS

    def make_server(self) -> CriServer:
        return crio.Crio(self.part, pause_image="none", registry=self.registry)


class DockerPuller(Puller):
    """A private Docker daemon, without network."""

    name = "docker"
    needs = ("dockerd", "docker", "containerd")

    def __enter__(self) -> Self:
        place = self.part.directory
        self.host = f"unix://{place}/s.sock"
        places = {"data-root": "data", "exec-root": "e", "pidfile": "pid"}
        flags = [f"--{flag}={place}/{name}" for flag, name in places.items()]
        off = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none")
        server = Background(["dockerd", f"--host={self.host}", *flags, *off], log=place / "docker.log")
        self.stack.callback(server.stop)
        server.wait_ready(lambda: self._docker("version").returncode == 0, timeout_s=30.0)
        self.server = server
        return self

    @property
    def daemon(self) -> int | None:
        return self.server.pid

    def pull(self, image: str) -> None:
        self._docker("pull", "--quiet", image).check_returncode()

    def forget(self, images: Sequence[str]) -> None:
        for image in images:
            self._docker("rmi", "--force", image)

    def _docker(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["docker", "--host", self.host, *arguments], check=False, capture_output=True)


class SkopeoPuller(Puller):
    """skopeo to an OCI layout, umoci to a directory: two commands, nothing runs between pulls."""

    name = "skopeo+umoci"
    needs = ("skopeo", "umoci")

    @property
    def _layout(self) -> Path:
        return self.part.directory / "oci"

    def pull(self, image: str) -> None:
        tag = image.rpartition("/")[2].replace(":", "-")
        target = f"{self._layout}:{tag}"
        _run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{image}", f"oci:{target}")
        _run("umoci", "unpack", "--image", target, str(self.part.directory / f"bundle-{tag}"))

    def forget(self, images: Sequence[str]) -> None:  # noqa: ARG002 # the layout holds nothing else
        shutil.rmtree(self._layout, ignore_errors=True)
        for bundle in self.part.directory.glob("bundle-*"):
            shutil.rmtree(bundle)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)


PULLERS: tuple[type[Puller], ...] = (
    PodwrightPuller,
    ContainerdPuller,
    CtrPuller,
    CrioPuller,
    DockerPuller,
    SkopeoPuller,
)
