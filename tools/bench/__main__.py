"""`make bench`: Podwright and its peers on private directories, measured by `podwright bench`.

    python -m tools.bench [--only NAME,NAME...] [--out FOLDER] [arguments of podwright bench]
    python -m tools.bench --agent COMMAND... [--publish] [arguments of podwright bench]
    python -m tools.bench --handlers [--publish] [arguments of podwright bench]

Writes results.json, report.html, benchmarks.md, summary.md and overview.svg to FOLDER (build/bench). Without --suite
it runs all of them. The servers come from the tests' harness, with the distribution's packages; CRI-O, which Debian 12
does not have, takes part where crio and pinns are on the PATH (crio for crun, crio-runc for runc: a crun that is
older than CRI-O's OCI specification refuses its containers). Another server that runs already takes part by a further
`--endpoint NAME=unix:///path`.

With `--agent kubelet --agent 'podwright agent'`, each node agent is measured on each server, all in one report (the
suite `agent`), in build/bench/agents. With --handlers, each handler and engine of Podwright starts pods beside
containerd and Docker (the suite `start`), in build/bench/handlers. With either, --publish puts the table into
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.harness import crio
from tests.harness.scratch import Scratch
from tools.bench import publish, sections
from tools.bench.configs import portable
from tools.bench.images import DESCRIPTION, SERIES, push_pull_images, push_series
from tools.bench.peers import HANDLERS, NAMES, USUAL, Peer, Site, start_peers
from tools.bench.restarts import serve_restarts
from tools.leaks import remove_empty_parents
from tools.pull_bench.disk import private_disk
from tools.registry import Registry, push_samples, write_hosts

TREE = Path(__file__).resolve().parent.parent.parent
PODWRIGHT = Path(sys.executable).parent / "podwright"
CRIO_IS_AWAY = "CRI-O is no package of Debian 12 and takes no part: it does where crio and pinns are on the PATH"
FEW_RULES = 50
# One page of each kind, made from the JSON alone.
PAGES = {"markdown": "benchmarks.md", "summary": "summary.md", "svg": "overview.svg"}


def main() -> int:
    """Start what is measured, run the bench, take everything down. Returns the bench's exit code."""
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return 0
    parser = arguments_parser()
    own, rest = parser.parse_known_args()
    section = sections.HANDLERS if own.handlers else sections.AGENTS if own.agent else None
    if own.publish and section is None:
        parser.error("--publish goes with --handlers or --agent: for a whole run, use tools.bench.publish")
    if os.geteuid() != 0:
        print("bench: needs root, for namespaces and cgroups", file=sys.stderr)
        return 2
    out: Path = own.out or TREE / "build/bench" / (section.name if section else "")
    names: list[str] = own.only.split(",") if own.only else list(HANDLERS if own.handlers else USUAL)
    if section and "--suite" not in rest:
        rest += ["--suite", section.suite]
    out.mkdir(parents=True, exist_ok=True)
    results = out / "results.json"
    results.unlink(missing_ok=True)
    code = measure(names, own.agent, results, rest)
    if results.exists():
        for form, name in PAGES.items():
            page: list[str | Path] = [PODWRIGHT, "bench", "report", results, f"--{form}", "--output", out / name]
            subprocess.run(page, check=True)
        print(f"\nreports: {out}", flush=True)
        if section and own.publish:
            publish.publish_section(section, out)
    return code


def arguments_parser() -> argparse.ArgumentParser:
    """The options of this program. All others go to `podwright bench`."""
    parser = argparse.ArgumentParser(prog="tools.bench", allow_abbrev=False, add_help=False)
    parser.add_argument("--only", default="", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--handlers", action="store_true", help="the suite start on every handler and engine")
    parser.add_argument(
        "--publish", action="store_true", help="with --handlers or --agent: put the table into the docs"
    )
    parser.add_argument("--agent", action="append", default=[], help="a node agent, on each of them; repeat")
    parser.add_argument("--out", type=Path)
    return parser


def measure(names: list[str], agents: list[str], results: Path, rest: list[str]) -> int:
    """Run the bench on the named peers, on a disk of its own, and leave nothing. Returns its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stack is closed
    with ExitStack() as stack:
        # Not on the disk: a thread that waits in a pipe would keep it from being unmounted.
        pipes = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pwr-")))
        tempfile.tempdir = str(stack.enter_context(private_disk()))
        scratch = Scratch()
        stack.callback(remove_empty_parents, scratch.scope())
        stack.callback(scratch.close)
        registry = stack.enter_context(Registry(scratch.part("registry").directory))
        arguments = push_images(registry, with_pulls=wants_pulls(rest))
        for peer in start_all(scratch, registry, names, stack):
            configs = [portable(file, scratch.directory, scratch.part("configs").directory) for file in peer.configs]
            restart = serve_restarts(peer.server, pipes / peer.name)
            for name, agent in columns(peer.name, agents):
                arguments += [*arguments_of(name, peer, restart, configs), *agent_arguments(name, agent)]
        arguments += (word for note in notes() for word in ("--note", note))
        suites = [] if "--suite" in rest else ["--suite", "all"]
        files = ["--json", str(results), "--html", str(results.with_name("report.html"))]
        return run_to_end([str(PODWRIGHT), "bench", *arguments, *suites, *files, *rest])


def run_to_end(argv: list[str]) -> int:
    """Run the bench. It gets Ctrl-C as well, and SIGTERM from here. It removes its pods, which is waited for."""
    with subprocess.Popen(argv) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue


def wants_pulls(arguments: list[str]) -> bool:
    """Whether the suite `pull` will run: its images take half a minute to make."""
    return "--suite" not in arguments or not {"pull", "all"}.isdisjoint(arguments)


def push_images(registry: Registry, *, with_pulls: bool) -> list[str]:
    """Fill the registry; the arguments that tell `podwright bench` of its images."""
    push_samples(registry)
    push_series(registry)
    arguments = ["--image", f"{registry.host}/busybox:1", "--image-series", f"{registry.host}/{SERIES}"]
    pulled = push_pull_images(registry) if with_pulls else []
    return [*arguments, *(word for image in pulled for word in ("--pull-image", f"{registry.host}/{image}"))]


def start_all(scratch: Scratch, registry: Registry, names: list[str], stack: ExitStack) -> list[Peer]:
    """Start the peers, which pull from the registry whatever they pull."""
    certs_d = write_hosts(scratch.part("certs").directory, registry.url).parent.parent
    return start_peers(scratch, names, site=Site(registry=registry.host, certs_d=certs_d), stack=stack)


def columns(peer: str, agents: list[str]) -> list[tuple[str, str]]:
    """The columns of one peer: a name and a node agent for each agent, or the peer alone if there is none."""
    return [(f"{agent_name(agent)}-on-{peer}", agent) for agent in agents] or [(peer, "")]


def agent_name(command: str) -> str:
    """`kubelet` for `/path/kubelet --v=2`, and `podwright-agent` for `podwright agent`."""
    program, *arguments = shlex.split(command)
    subcommands = [word for word in arguments[:1] if word.isalnum()]
    return "-".join([Path(program).name, *subcommands])


def agent_arguments(name: str, agent: str) -> list[str]:
    """The option that gives a column its node agent, if it has one."""
    return ["--agent", f"{name}={agent}"] if agent else []


def arguments_of(name: str, peer: Peer, restart: str, configs: list[Path]) -> list[str]:
    """The options of `podwright bench` for one column of the report."""
    return [
        *("--endpoint", f"{name}={peer.scheme}{peer.server.endpoint}"),
        *("--cgroup-parent", f"{name}={peer.server.part.cgroup_parent}"),
        *(("--below", f"{name}={peer.below}") if peer.below else ()),
        *("--restart", f"{name}=/bin/sh -c {shlex.quote(restart)}"),
        *(word for file in configs for word in ("--config", f"{name}={file}")),
    ]


def notes() -> list[str]:
    """Notes for the report, with which somebody else can repeat the run."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=TREE, capture_output=True, text=True)  # noqa: PLW1510 # a copy without git has no commit
    command = f"make bench ARGS='{' '.join(sys.argv[1:])}'" if sys.argv[1:] else "make bench"
    return [
        DESCRIPTION,
        *([] if crio.is_installed() or "crio" in " ".join(sys.argv) else [CRIO_IS_AWAY]),
        f"{command}, at commit {commit.stdout.strip() or 'unknown'}; Python {platform.python_version()}",
        *foreign_rules(),
    ]


def foreign_rules() -> list[str]:
    """A note if the firewall has so many rules that they slow CNI's bridge plugin down."""
    saved = subprocess.run(["iptables-save", "-t", "nat"], capture_output=True, text=True, check=False).stdout
    count = sum(line.startswith("-A") for line in saved.splitlines())
    told = f"the host's nat table had {count} rules: each call of iptables reads them all, and CNI plugins make many"
    return [told] if count > FEW_RULES else []


if __name__ == "__main__":
    sys.exit(main())
