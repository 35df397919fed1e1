"""What a bundle shows without its runtime, and what an error says when conmon fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, RuntimeFailed
from podwright.process import PosixProcessRunner
from podwright.runtime.handlers.oci import monitor
from podwright.runtime.handlers.oci.conmon import Monitored
from podwright.runtime.handlers.oci.runtime import OciRuntime, Programs, log_file, may_have

SPEC = {"process": {"args": ["sh"]}, "linux": {"namespaces": []}}
HOOKS = {**SPEC, "hooks": {"poststop": [{"path": "/x"}]}}
NONE: frozenset[str] = frozenset()
LOGGED = """\
time="2026-01-01T00:00:00Z" level=warning msg="config.json has both"
time="2026-01-01T00:00:00Z" level=error msg="no such file"
"""
GROUP = {**SPEC, "linux": {"intelRdt": {"closID": "x"}}}


def _runtime(folder: Path, kind: str, *, systemd: bool) -> OciRuntime:
    programs = Programs(runtime=f"/{kind}", kind=kind, conmon="/conmon", conmon_options=frozenset())
    return OciRuntime(
        kind, programs, state=str(folder), runner=PosixProcessRunner(), timeout_s=1.0, systemd_cgroup=systemd
    )


@pytest.mark.parametrize(
    ("kind", "systemd", "spec", "only_files"),
    [
        pytest.param("crun", False, SPEC, True, id="crun"),
        pytest.param("runc", False, SPEC, True, id="runc"),
        pytest.param("runsc", False, SPEC, False, id="another"),
        pytest.param("", False, SPEC, False, id="nameless"),
        pytest.param("crun", True, SPEC, False, id="systemd"),
        pytest.param("crun", False, HOOKS, False, id="hooks"),
        pytest.param("crun", False, GROUP, False, id="resctl"),
        pytest.param("crun", False, None, False, id="no spec"),
    ],
)
def test_what_a_runtime_leaves(
    tmp_path: Path, kind: str, systemd: bool, spec: dict[str, object] | None, only_files: bool
) -> None:
    if spec is not None:
        (tmp_path / "config.json").write_text(json.dumps(spec))
    assert _runtime(tmp_path, kind, systemd=systemd).leaves_only_files(str(tmp_path)) is only_files


def test_a_word_of_the_request_counts_as_a_part(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SPEC, "annotations": {"poststart": ""}}))
    assert may_have(str(tmp_path), "poststart")
    assert not may_have(str(tmp_path), "poststop")


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("echo '[conmon:e]: made up' >&2", RuntimeFailed, "conmon gave no reason \\(conmon: .*made up\\)$"),
        ("exit 1", RuntimeFailed, "conmon gave no reason$"),
        ("echo '[conmon:e]: made up' >&2; exec sleep 60", DeadlineExceeded, "hangs \\(conmon: .*made up\\)$"),
        ("echo made up >&2; head -c 1000000 /dev/zero >&2; echo '{\"data\": -1}' >&3", RuntimeFailed, "made up\\)$"),
    ],
    ids=["says why", "says nothing", "hangs", "says too much"],
)
async def test_what_conmon_says_on_stderr_is_in_the_error(
    tmp_path: Path, script: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await _create(tmp_path, script, timeout_s=2.0 if error is DeadlineExceeded else patient(60.0))


async def _create(folder: Path, script: str, timeout_s: float) -> None:
    """Have the script create a container in the place of conmon."""
    programs = Programs(runtime="/crun", kind="crun", conmon=_program(folder / "conmon", script), conmon_options=NONE)
    runner = PosixProcessRunner()
    runtime = OciRuntime("crun", programs, state=str(folder), runner=runner, timeout_s=timeout_s)
    container = Monitored(id="i" * 64, name="n", directory=str(folder), exits=str(folder))
    await monitor.create(runtime, container, runner, lambda *_: None)


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [('{"data": -1}', "no such file"), ('{"data": -1, "message": "of conmon"}', "of conmon"), ("", "no such file")],
    ids=["conmon has no reason", "conmon has one", "conmon says nothing"],
)
async def test_the_last_of_the_runtimes_log_is_the_reason(tmp_path: Path, reply: str, reason: str) -> None:
    Path(log_file(str(tmp_path))).write_text(LOGGED)
    with pytest.raises(RuntimeFailed, match=f": {reason}$"):
        await _create(tmp_path, f"echo '{reply}' >&3", patient(60.0))


async def test_a_warning_is_in_the_daemons_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Path(log_file(str(tmp_path))).write_text(LOGGED.splitlines()[0])
    with caplog.at_level("DEBUG", monitor.__name__):
        await _create(tmp_path, "echo '{\"data\": 42}' >&3", patient(60.0))
    assert caplog.messages == ["runtime warns while it creates: id=iiiiiiiiiiii warning=config.json has both"]


async def test_a_warning_is_no_reason_for_a_failure(tmp_path: Path) -> None:
    script = f"cat >{log_file(str(tmp_path))} <<'END'\n{LOGGED}END\nexit 1"
    program = _program(tmp_path / "runtime", script)
    programs = Programs(runtime=program, kind="runc", conmon="/conmon", conmon_options=NONE)
    runtime = OciRuntime("runc", programs, state=str(tmp_path), runner=PosixProcessRunner(), timeout_s=patient(60.0))
    with pytest.raises(RuntimeFailed, match=r"cannot run iiiiiiiiiiii: no such file$"):
        await runtime.run_detached("i" * 64, str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "option"),
    [("crun", "--log=file:/b:1/runtime.log"), ("runc", "--log=/b:1/runtime.log"), ("", "--log=/b:1/runtime.log")],
)
def test_each_runtime_has_a_log_file(tmp_path: Path, kind: str, option: str) -> None:
    assert _runtime(tmp_path, kind, systemd=False).argv_with_log("/b:1/runtime.log")[-1] == option
