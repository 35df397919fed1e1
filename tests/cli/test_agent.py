"""`podwright agent`: a kubelet's command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from podwright.agent.config.settings import BY_FLAG, BY_KEY, FIELDS
from podwright.cli.agent_help import ABOUT
from tests.cli.conftest import Cli

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def test_every_honoured_flag_is_described_and_no_other() -> None:
    assert ABOUT.keys() == {flag.flag for flag in BY_FLAG.values() if flag.honoured}


async def test_help_names_everything_and_tells_what_is_honoured(podwright: Cli) -> None:
    done = await podwright("agent", "--help")
    assert done.code == 0
    flags, _, rest = done.out.partition("Flags that are accepted and not honoured:")
    idle_flags, _, rest = rest.partition("Fields of KubeletConfiguration that are honoured:")
    fields, _, idle_fields = rest.partition("Fields that are accepted and not honoured:")
    for flag in BY_FLAG.values():
        assert f"--{flag.flag}" in (flags if flag.honoured else idle_flags)
    for field in FIELDS:
        assert field.key in (fields if field.honoured else idle_fields).replace(",", "").split()


@pytest.mark.parametrize("arguments", [["-h"], ["--max-pods=5", "--help=true"]])
async def test_help_is_found_as_pflag_finds_it(podwright: Cli, arguments: list[str]) -> None:
    done = await podwright("agent", *arguments)
    assert done.code == 0
    assert done.out.startswith("Usage: podwright agent [FLAGS]")


async def test_the_version_is_that_of_the_kubelet_it_stands_in_for(podwright: Cli) -> None:
    """Installers take it from the first word that is a version."""
    done = await podwright("agent", "--version")
    assert done.out.startswith("Kubernetes v1.36.")


async def test_the_effective_configuration_can_be_printed_and_read_again(podwright: Cli, tmp_path: Path) -> None:
    (tmp_path / "kubelet.yaml").write_text(HEAD + "maxPods: 5\nmaxOpenFiles: 1\n")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1.conf").write_text(HEAD + "clusterDNS: [10.0.0.1]\n")
    arguments = ("--config", str(tmp_path / "kubelet.yaml"), "--config-dir", str(tmp_path / "d"), "--max-pods", "6")
    done = await podwright("agent", *arguments, "--print-config")
    assert done.code == 0
    assert done.err == f"podwright: warning: {tmp_path}/kubelet.yaml: not honoured: maxOpenFiles\n"
    document = yaml.safe_load(done.out)
    assert document["maxPods"] == 6
    assert document["clusterDNS"] == ["10.0.0.1"]
    (tmp_path / "printed.yaml").write_text(done.out)
    again = await podwright("agent", "--config", str(tmp_path / "printed.yaml"), "--print-config")
    assert again.out == done.out


async def test_the_endpoint_of_podwright_itself_is_the_runtime_s(podwright: Cli) -> None:
    done = await podwright("--endpoint", "unix:///run/x.sock", "agent", "--print-config")
    assert yaml.safe_load(done.out)["containerRuntimeEndpoint"] == "unix:///run/x.sock"
    done = await podwright("-e", "unix:///a", "agent", "--container-runtime-endpoint=unix:///b", "--print-config")
    assert yaml.safe_load(done.out)["containerRuntimeEndpoint"] == "unix:///b"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--maxpods=5"], "podwright: there is no flag --maxpods (did you mean --max-pods?)\n"),
        (["--feature-gates=EventPLEG=true", "--print-config"], "did you mean EventedPLEG?\n"),
        (["--config=/nonexistent"], "podwright: /nonexistent: cannot be read: No such file or directory\n"),
        (["run"], "podwright: unexpected argument 'run' (flags only)\n"),
        (["--port=0", "--print-config"], "port (--port) 0 must be between 1 and 65535, inclusive\n"),
    ],
)
async def test_wrong_command_lines_are_bad_usage(podwright: Cli, arguments: list[str], message: str) -> None:
    done = await podwright("agent", *arguments)
    assert done.code == 2
    assert done.err.endswith(message)
    assert done.out == ""


def test_no_flag_of_ours_has_a_field() -> None:
    assert [setting.key for setting in BY_KEY.values() if setting.ours and setting.is_field] == []
