"""The result of a bench run in the documentation; and what `make bench` tells of its configurations."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from podwright.bench.recorder import BYTES, Recorder
from podwright.bench.results import BenchReport
from podwright.conformance.patience import patient
from tests.bench.reports import MIB, sample_report, target
from tests.harness.scratch import Scratch
from tools.bench import peers
from tools.bench.__main__ import agent_arguments, columns, foreign_rules
from tools.bench.configs import portable
from tools.bench.handlers import CONTAINERD, DOCKER, ONE, SHIM, comparison
from tools.bench.publish import BEGIN, END, TREE, with_table
from tools.bench.restarts import serve_restarts
from tools.bench.sections import AGENTS, HANDLERS, Section


def test_the_table_is_put_between_the_marks_each_time() -> None:
    text = f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = with_table(text, sample_report())
    assert once.startswith(f"before\n\n{BEGIN}\n\n|  | fast | slow |\n")
    assert once.endswith(f"{END}\n\nafter\n")
    assert "old" not in once
    assert with_table(once, sample_report()) == once


def report_of_handlers() -> BenchReport:
    """Docker through CRI takes twice what containerd takes, and the shim half of it."""
    recorder = Recorder()
    for name, factor in ((DOCKER, 2), (CONTAINERD, 1), (SHIM, 0.5)):
        start = recorder.sheet("start", name)
        start.add("pod start", 100 * factor, at=ONE)
        start.add("CPU per pod start", 50 * factor, at=ONE)
        start.add("daemon PSS", 30 * factor * MIB, BYTES, at={"pods": 0})
        start.add("monitors' PSS per pod", factor * MIB, BYTES, at=ONE)
    targets = [target(name) for name in (DOCKER, CONTAINERD, SHIM)]
    return msgspec.structs.replace(sample_report(), targets=targets, measurements=recorder.measurements())


def test_docker_through_cri_beside_containerd() -> None:
    rows = comparison(report_of_handlers()).splitlines()
    assert rows[2] == "| pod start, one at a time (ms) | 200 | 100 | -50 % | -20 % (latency) |"
    assert rows[4] == "| daemons and monitors of 20 pods, PSS (MiB) | 100 | 50 | -50 % | -12 % (memory) |"
    assert "starts 2.0 times as fast as one on containerd" in rows[-1]


def test_what_was_not_measured_is_not_compared() -> None:
    rows = comparison(sample_report()).splitlines()
    assert rows[2] == "| pod start, one at a time (ms) | - | - | - | -20 % (latency) |"
    assert "not compared with" in rows[-1]


@pytest.mark.parametrize("section", [AGENTS, HANDLERS], ids=lambda section: section.name)
def test_a_section_outlives_the_page(section: Section) -> None:
    text = section.of_run(report_of_handlers())
    page = f"# Page\n\n{text}\nafter\n"
    assert section.of_page(page) == text
    assert section.of_page((TREE / "docs/benchmarks.md").read_text())
    with pytest.raises(SystemExit):
        section.of_page("# Page\n")


@pytest.mark.parametrize("text", ["nothing", BEGIN, END, f"{END}{BEGIN}"])
def test_a_readme_without_marks_is_left_alone(text: str) -> None:
    with pytest.raises(SystemExit):
        with_table(text, sample_report())


def test_configurations_do_not_name_the_scratch_directory(tmp_path: Path) -> None:
    config = tmp_path / "a" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'root = "{tmp_path}/a/root"\n')
    copy = portable(config, tmp_path, tmp_path / "out")
    assert copy.name == "config.toml"
    assert copy.read_text() == 'root = "SCRATCH/a/root"\n'


@pytest.mark.parametrize(("rules", "told"), [(0, []), (50, []), (51, ["the host's nat table had 51 rules"])])
def test_rules_that_slow_plugins_down_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: int, told: list[str]
) -> None:
    saved = "*nat\\n:CNI-1 - [0:0]\\n" + "-A CNI-1 -j ACCEPT\\n" * rules + "COMMIT\\n"
    (tmp_path / "iptables-save").write_text(f"#!/bin/sh\nprintf -- '{saved}'\n")
    (tmp_path / "iptables-save").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [note.partition(":")[0] for note in foreign_rules()] == told


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        ([], [("peer", [])]),
        (["kubelet"], [("kubelet-on-peer", ["--agent", "kubelet-on-peer=kubelet"])]),
        (
            ["/a/kubelet --v=2", "podwright agent --v=2"],
            [
                ("kubelet-on-peer", ["--agent", "kubelet-on-peer=/a/kubelet --v=2"]),
                ("podwright-agent-on-peer", ["--agent", "podwright-agent-on-peer=podwright agent --v=2"]),
            ],
        ),
    ],
    ids=str,
)
def test_each_node_agent_is_a_column_of_each_peer(agents: list[str], expected: list[tuple[str, list[str]]]) -> None:
    assert [(name, agent_arguments(name, agent)) for name, agent in columns("peer", agents)] == expected


class Restarted:
    """Counts."""

    def __init__(self, *, broken: bool = False) -> None:
        self.calls: list[str] = []
        self._broken = broken

    def stop(self) -> int:
        """Ends."""
        self.calls.append("stop")
        if self._broken:
            raise OSError("broken")
        return 0

    def spawn(self) -> None:
        """Starts."""
        self.calls.append("spawn")


@pytest.mark.parametrize("broken", [False, True])
def test_a_command_restarts_the_server(tmp_path: Path, broken: bool) -> None:
    server = Restarted(broken=broken)
    script = serve_restarts(server, tmp_path)
    done = [subprocess.run(["/bin/sh", "-c", script], check=False, timeout=patient(60)).returncode for _ in range(2)]
    assert done == ([1, 1] if broken else [0, 0])
    assert server.calls == (["stop"] * 2 if broken else ["stop", "spawn"] * 2)


def test_what_is_not_installed_is_left_out(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "IS_INSTALLED", dict.fromkeys(peers.IS_INSTALLED, lambda: False))
    site = peers.Site(registry="127.0.0.1:5000", certs_d=scratch.directory)
    assert peers.start_peers(scratch, ["crio", "crio-runc", "docker"], site=site, stack=ExitStack()) == []
    assert "crio-runc is left out, for crio is not installed" in capsys.readouterr().err
