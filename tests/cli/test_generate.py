"""`podwright generate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.cli.app import run
from podwright.cli.commands import generate
from tests.agent.run.build import job_text, pod_text


def test_a_unit_is_printed_and_losses_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web.yaml").write_text(pod_text(spec="nodeSelector: {a: b}"))
    monkeypatch.chdir(tmp_path)
    assert run(["generate", "web.yaml"]) == 0
    captured = capsys.readouterr()
    assert f"run -- {tmp_path}/web.yaml\n" in captured.out
    assert captured.err.startswith("podwright: warning: Pod web: spec.nodeSelector is not honoured")


def test_what_cannot_be_run_gets_no_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(job_text(kind="CronJob"))
    assert run(["generate", str(file)]) == 2
    assert "--now runs its job once" in capsys.readouterr().err
    assert run(["generate", "--now", "--root", str(tmp_path), str(file)]) == 0
    assert f"run --now --root {tmp_path} -- {file}" in capsys.readouterr().out
    assert run(["generate", "-"]) == 2
    assert "standard input" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["podwright", "__main__.py"])
def test_the_unit_starts_this_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = tmp_path / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(path)])
    program = generate.program()
    assert program == ((str(path),) if name == "podwright" else (program[0], "-m", "podwright"))
