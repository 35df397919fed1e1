"""`make demo`: a Pod by `podwright run`, then by a node agent as a static pod; images from a registry on loopback.

Everything is private to the demo (directories, bridge, cgroups), so it may run beside a real daemon. Exit code 0
means: the Pod of examples/hello.yaml came up, its web server answered on the hostPort, and Ctrl-C stopped it; on the
node it came when its manifest appeared and went when the manifest vanished; and nothing was left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.harness.agent import AgentProcess
from tests.harness.podwright import Podwright
from tests.harness.scratch import Part, Scratch
from tests.harness.sweep import sweep
from tools.background import StartError
from tools.leaks import leaked, remove_empty_parents, report, snapshot
from tools.registry import Registry, push_samples, write_hosts

Result = TypeVar("Result")

TREE = Path(__file__).resolve().parent.parent
MANIFEST = TREE / "examples/hello.yaml"
ANSWER_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0  # the Pod's grace period is 30 s
SHOW_S = 3.0  # time for the sidecar's lines to be seen
# Where daemons keep what belongs to one pod, below --root and --state (each embedded daemon in a numbered slot).
POD_FILES = ("state/*/sandboxes/*", "state/*/containers/*", "root/*/containers/*")


class DemoFailed(Exception):
    """A step did not do what the demo promises."""


def main() -> int:
    """Run the demo; the exit code tells whether all of it held."""
    if os.geteuid() != 0:
        print("demo: needs root, for namespaces and cgroups", file=sys.stderr)
        return 2
    scratch = Scratch()
    before = snapshot(scratch.scope())
    failure = ""
    try:
        with ExitStack() as stack:
            certs_d = start_registry(scratch, stack)
            run_demo(scratch, certs_d)
            node_demo(scratch, certs_d)
    except (DemoFailed, StartError) as failed:
        failure = str(failed)
    except KeyboardInterrupt:
        failure = "interrupted"
    remove_empty_parents(scratch.scope())
    left = leaked(before, scratch.scope(), whole_host=False)
    sweep(scratch.scope(), settle_s=0)
    scratch.close()
    if left:
        failure = "\n".join(filter(None, (failure, report(left))))
    say(f"failed: {failure}" if failure else "stopped; no mount, namespace, process, link, cgroup or file is left")
    return 1 if failure else 0


def start_registry(scratch: Scratch, stack: ExitStack) -> Path:
    """A registry with the sample images, and the folder that sends pulls to it."""
    say("docker-registry on loopback, with a sample image made from this machine's busybox")
    registry = stack.enter_context(Registry(scratch.part("registry").directory))
    push_samples(registry)
    return write_hosts(scratch.part("certs").directory, registry.url).parent.parent


def daemon_in(part: Part, certs_d: Path) -> Podwright:
    """A daemon in private directories; not started yet."""
    return Podwright(part, settings={"registry": {"config_path": str(certs_d)}, "log_level": "warning"})


def run_demo(scratch: Scratch, certs_d: Path) -> None:
    """`podwright run`. Raises DemoFailed."""
    port = host_port(MANIFEST)
    with ExitStack() as stack:
        part = scratch.part("demo")
        daemon = daemon_in(part, certs_d)
        argv = run_argv(daemon)
        say(f"podwright run examples/hello.yaml        (all flags: {' '.join(argv[1:])})")
        run = subprocess.Popen(argv, cwd=TREE, env=environment(part), start_new_session=True)
        stack.callback(end, run)
        say(f"hostPort {port} answers at {answering(run, port)}")
        time.sleep(SHOW_S)
        say("Ctrl-C")
        run.send_signal(signal.SIGINT)
        try:
            code = run.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as late:
            raise DemoFailed(f"podwright run did not stop within {STOP_TIMEOUT_S:.0f} s") from late
        if code != 0:
            raise DemoFailed(f"podwright run ended with {code}")
        if files := [str(file) for pattern in POD_FILES for file in part.directory.glob(pattern)]:
            raise DemoFailed(f"files of the Pod were left: {', '.join(files)}")


def node_demo(scratch: Scratch, certs_d: Path) -> None:
    """A node whose static pod comes and goes. Raises DemoFailed."""
    port = host_port(MANIFEST)
    with daemon_in(scratch.part("node"), certs_d) as daemon:
        say("a node: podwright serve, and podwright agent with a folder of manifests")
        daemon.start()
        with AgentProcess(scratch.part("agent"), daemon.endpoint) as agent:
            say("a manifest appears: cp examples/hello.yaml manifests/")
            began = time.monotonic()
            agent.write("hello.yaml", MANIFEST.read_text())
            url = until(lambda: fetched(port), f"hostPort {port} answers")
            say(f"after {time.monotonic() - began:.1f} s, the image's pull included: {url}")
            show_pods(daemon)
            say("the manifest vanishes: rm manifests/hello.yaml")
            began = time.monotonic()
            agent.remove("hello.yaml")
            until(lambda: not agent.pods() and not pods_of(daemon), "the pod is gone")
            say(f"after {time.monotonic() - began:.1f} s, its grace included, the pod is gone")
            show_pods(daemon)


def until(condition: Callable[[], Result], what: str) -> Result:
    """Wait for a true answer. Raises DemoFailed."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise DemoFailed(f"not within {ANSWER_TIMEOUT_S:.0f} s: {what}")


def podwright(daemon: Podwright, *arguments: str) -> str:
    """Run a command on the daemon. Returns its output."""
    argv = [str(Path(sys.executable).parent / "podwright"), "--endpoint", daemon.endpoint, *arguments]
    return subprocess.run(argv, cwd=TREE, check=True, capture_output=True, text=True).stdout


def show_pods(daemon: Podwright) -> None:
    """The pods as people see them."""
    print(f"\n$ podwright pods\n{podwright(daemon, 'pods')}", end="", flush=True)


def pods_of(daemon: Podwright) -> list[Any]:
    """The pods that the daemon holds."""
    found: list[Any] = json.loads(podwright(daemon, "pods", "-o", "json")).get("items") or []
    return found


def run_argv(daemon: Podwright) -> list[str]:
    """`podwright run` with an embedded daemon on private directories; the harness only writes its configuration."""
    logs = daemon.directory / "logs"
    flags = {"config": daemon.config, "root": daemon.root, "state": daemon.state, "log-root": logs}
    arguments = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return [str(Path(sys.executable).parent / "podwright"), "run", *arguments, str(MANIFEST.relative_to(TREE))]


def environment(part: Part) -> dict[str, str]:
    """Ours with an endpoint where nothing listens, so that the run starts a daemon of its own."""
    return {**os.environ, "CONTAINER_RUNTIME_ENDPOINT": f"unix://{part.directory}/nobody.sock"}


def host_port(manifest: Path) -> int:
    """The first hostPort in the manifest."""
    return next(_host_ports(list(yaml.safe_load_all(manifest.read_text()))))


def _host_ports(node: Any) -> Iterator[int]:
    if isinstance(node, dict):
        if "hostPort" in node:
            yield node["hostPort"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _host_ports(child)


def answering(run: subprocess.Popen[bytes], port: int) -> str:
    """Wait for an answer on the host port; returns the URL and the first line. Raises DemoFailed."""

    def answer() -> str:
        if run.poll() is not None:
            raise DemoFailed(f"podwright run ended with {run.returncode} before the web server answered")
        return fetched(port)

    return until(answer, f"hostPort {port} answers")


def fetched(port: int) -> str:
    """The URL of the host port and the first line of its page; empty while it does not answer."""
    url = f"http://127.0.0.1:{port}/"
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            first_line = response.readline().decode(errors="replace").strip()
            return f"{url}: {response.status} {first_line}"
    except OSError:
        return ""


def end(run: subprocess.Popen[bytes]) -> None:
    """Make sure that it has ended, first politely."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if run.poll() is not None:
            return
        run.send_signal(number)
        try:
            run.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue


def say(text: str) -> None:
    """One line of the demo's own."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
