"""`make bench`: a private daemon and a loopback registry, measured by `podwright bench`.

    python -m tools.bench [--peer] [arguments of podwright bench]

With --peer the distribution's containerd is measured beside it. The servers come from the tests' harness.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.harness.containerd import Containerd
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer
from tools.registry import Registry, push_samples, write_hosts


def main(arguments: list[str]) -> int:
    """Start what is measured, run the bench, take everything down. Returns the bench's exit code."""
    peer = "--peer" in arguments
    rest = [argument for argument in arguments if argument != "--peer"]
    with ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.close)
        registry = stack.enter_context(Registry(scratch.part("registry").directory))
        push_samples(registry)
        certs_d = write_hosts(scratch.part("certs").directory, registry.url).parent.parent
        settings = {"registry": {"config_path": str(certs_d)}, "log_level": "info"}
        servers: list[CriServer] = [Podwright(scratch.part("pw"), settings=settings)]
        if peer:
            pause = f"{registry.host}/pause:1"
            servers.append(Containerd(scratch.part("ctd"), pause_image=pause, certs_d=certs_d))
        endpoints = []
        for server in servers:
            stack.enter_context(server).start()
            endpoints += ["--endpoint", server.endpoint]
        podwright = Path(sys.executable).parent / "podwright"
        image = f"{registry.host}/busybox:1"
        return subprocess.run([podwright, "bench", *endpoints, "--image", image, *rest], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
