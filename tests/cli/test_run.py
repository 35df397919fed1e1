"""`podwright run`, as far as it goes without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.cli.app import run
from tests.agent.run.build import job_text, pod_text


@pytest.fixture
def nowhere(tmp_path: Path) -> tuple[str, ...]:
    """Options for a run that reaches no server: there is no program to start as one in its folders."""
    return ("--root", str(tmp_path / "root"), "--state", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("options", "text", "error"),
    [
        pytest.param((), pod_text("A"), "Pod A: metadata.name: Invalid value", id="a bad manifest"),
        pytest.param((), job_text(kind="CronJob"), "--now runs its job once", id="a schedule"),
        pytest.param(("--watch", "--detach"), pod_text(), "--watch and --detach exclude each other", id="options"),
        pytest.param(("--kube-down",), "kind: Pod", "apiVersion", id="an end of nothing"),
    ],
)
def test_what_cannot_be_run_is_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    nowhere: tuple[str, ...],
    options: tuple[str, ...],
    text: str,
    error: str,
) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(text)
    assert run(["run", *nowhere, *options, str(file)]) == 2
    assert error in capsys.readouterr().err


def test_a_folder_without_manifests_is_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nowhere: tuple[str, ...]
) -> None:
    assert run(["run", *nowhere, str(tmp_path)]) == 2
    assert "holds no manifests" in capsys.readouterr().err
