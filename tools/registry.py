"""A real docker-registry on loopback: starts it, pushes images to it, reads its access log, stops it.

Used by tests, the demo and the bench; run as a program it serves the sample images until Ctrl-C:

    python -m tools.registry [--port N]

It speaks the distribution API by http.client and knows nothing of Podwright, so a fault in our own client
cannot hide behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import re
import secrets
import shutil
import signal
import tempfile
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from podwright.conformance.patience import patient
from tools.background import Background, StartError
from tools.images import Image, Index, busybox_image, digest_of, index_of, pause_image
from tools.ports import free_port

CONFIG = """\
version: 0.1
log:
  level: warn
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: {storage}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
  secret: loopback only
"""
START_TIMEOUT_S, REQUEST_TIMEOUT_S = patient(60.0), patient(60.0)
POLL_S = 0.01
START_TRIES = 3  # another program may take the free port between our look and the server's bind
# The registry's access log is Apache's combined format: `"GET /v2/x/manifests/1 HTTP/1.1" 200 ... "agent"`.
ACCESS_LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>\d{3}) ')


class Access(NamedTuple):
    """One request that the registry answered."""

    method: str
    path: str
    status: int


class Registry:
    """A docker-registry with its own storage below `root`. Use as a context manager."""

    def __init__(self, root: Path, *, port: int = 0, more_config: str = "") -> None:
        """Prepare a registry below `root`, which must exist; port 0 means any free one. `more_config` is YAML."""
        self.root = root
        self._more_config = more_config
        self.port = port
        self._server: Background | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process(self) -> Background | None:
        """The server while it runs, for tests that freeze or kill it."""
        return self._server

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, the first part of image references."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL; plain HTTP, as runtimes expect of a loopback registry."""
        return f"http://{self.host}"

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the server and wait until `/v2/` answers. Raises StartError."""
        wanted = self.port
        for attempt in range(START_TRIES):
            self.port = wanted or free_port()
            try:
                self._start_once(timeout_s)
            except StartError:
                if wanted or attempt == START_TRIES - 1:
                    raise
            else:
                return

    def _start_once(self, timeout_s: float) -> None:
        config = self.root / "config.yml"
        config.write_text(CONFIG.format(storage=self.root / "storage", port=self.port) + self._more_config)
        server = Background(["docker-registry", "serve", str(config)], log=self.root / "registry.log")
        server.wait_ready(self._answers, timeout_s=timeout_s)
        self._server = server

    def _answers(self) -> bool:
        try:
            return self._request("GET", "/v2/")[0] in (http.HTTPStatus.OK, http.HTTPStatus.UNAUTHORIZED)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the server; storage and log stay. Nothing happens when it does not run."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def push(self, name: str, image: Image | Index) -> str:
        """Push under `repository:tag` (without the host). Returns the digest of the manifest or index."""
        repository, _, tag = name.rpartition(":")
        self._push_content(repository, image)
        return self.push_manifest(repository, tag, image.manifest, image.media_type)

    def _push_content(self, repository: str, image: Image | Index) -> None:
        if isinstance(image, Image):
            self._push_blobs(repository, image)
            return
        for one in image.images:
            self._push_content(repository, one)
            self.push_manifest(repository, one.digest, one.manifest, one.media_type)

    def _push_blobs(self, repository: str, image: Image) -> None:
        for blob in (image.config, *(layer.blob for layer in image.layers)):
            self.push_blob(repository, blob)

    def push_blob(self, repository: str, blob: bytes) -> str:
        """Upload one blob unless the repository has it. Returns its digest."""
        digest = digest_of(blob)
        status, _, _ = self._request("HEAD", f"/v2/{repository}/blobs/{digest}")
        if status == http.HTTPStatus.OK:
            return digest
        _, headers, _ = self._request("POST", f"/v2/{repository}/blobs/uploads/", expect=202)
        location = urlsplit(headers["Location"])
        target = f"{location.path}?{location.query}&digest={digest}"
        self._request("PUT", target, blob, {"Content-Type": "application/octet-stream"}, expect=201)
        return digest

    def push_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        """Put a manifest or index under a tag or its digest. Returns its digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        self._request("PUT", path, body, {"Content-Type": media_type}, expect=201)
        return digest_of(body)

    def blob_path(self, digest: str) -> Path:
        """The path of a blob on the server's disk, for tests that damage or remove one."""
        algorithm, _, value = digest.partition(":")
        return self.root / "storage/docker/registry/v2/blobs" / algorithm / value[:2] / value / "data"

    def accesses(self) -> list[Access]:
        """Every request answered so far, oldest first. Raises TimeoutError.

        A line is written when its answer has gone. So we ask once more, and wait for that line.
        """
        marker = f"/v2/?{secrets.token_hex(8)}"
        self._request("GET", marker)
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while marker not in (text := (self.root / "registry.log").read_text(errors="replace")):
            if time.monotonic() > deadline:
                raise TimeoutError("the registry does not log what it is asked")
            time.sleep(POLL_S)
        found = [Access(m["method"], m["path"], int(m["status"])) for m in ACCESS_LINE.finditer(text)]
        return [access for access in found if not access.path.startswith("/v2/?")]

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        expect: int | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_S)
        ) as connection:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
        if expect is not None and response.status != expect:
            raise RuntimeError(f"{method} {path}: {response.status} instead of {expect}: {content[:500]!r}")
        return response.status, dict(response.headers), content


def write_hosts(certs_d: Path, registry_url: str, *, host: str = "_default") -> Path:
    """Write `<certs_d>/<host>/hosts.toml`, so that pulls from `host` (by default: any) go to `registry_url`."""
    file = certs_d / host / "hosts.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        textwrap.dedent(f"""\
            [host."{registry_url}"]
              capabilities = ["pull", "resolve"]
            """)
    )
    return file


def push_samples(registry: Registry) -> dict[str, str]:
    """Push the images that tests, the demo and the bench use. Returns their digests by `repository:tag`."""
    docker = busybox_image(style="docker")
    foreign = busybox_image(architecture="s390x")
    images: dict[str, Image | Index] = {
        "busybox:1": busybox_image(),
        "busybox:docker": docker,
        "busybox:index": index_of([foreign, busybox_image()]),
        "library/busybox:1.36": busybox_image(),
        "library/busybox:latest": busybox_image(),
        "pause:1": pause_image(),
    }
    return {name: registry.push(name, image) for name, image in images.items()}


def main() -> None:
    """Serve the sample images until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="docker-registry on loopback, filled with sample images")
    parser.add_argument("--port", type=int, default=5000, help="0 means any free port")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="podwright-registry-"))
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: shells ignore it for jobs in the background
        signal.signal(number, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt), Registry(root, port=arguments.port) as registry:
            for name, digest in push_samples(registry).items():
                print(f"{registry.host}/{name} {digest}", flush=True)
            signal.pause()
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
