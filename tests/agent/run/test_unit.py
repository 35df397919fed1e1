"""The systemd unit of files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from podwright.agent.run.unit import UnitRequest, make_unit, quoted
from podwright.conformance.patience import patient
from tests.agent.run.build import job_text, plan, pod_text, workload

REQUEST = UnitRequest(program=("/usr/bin/podwright",), paths=("/etc/podwright/web.yaml",))
UNIT = """\
[Unit]
Description=Podwright: Pod default/web
SourcePath=/etc/podwright/web.yaml
Wants=network-online.target
After=network-online.target
RequiresMountsFor=/etc/podwright/web.yaml

[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/podwright run -- /etc/podwright/web.yaml
ExecStopPost=-/usr/bin/podwright run --kube-down -- /etc/podwright/web.yaml
Restart=always
KillMode=mixed
TimeoutStartSec=900
TimeoutStopSec=60
SyslogIdentifier=%N
Delegate=yes

[Install]
WantedBy=multi-user.target
"""


def line(text: str, key: str) -> str:
    return next(each.partition("=")[2] for each in text.splitlines() if each.startswith(f"{key}="))


def test_the_unit_of_a_pod() -> None:
    assert make_unit(plan(pod_text()), REQUEST) == UNIT


@pytest.mark.parametrize(
    ("texts", "policy"),
    [
        pytest.param((workload("Deployment"),), "always", id="a service"),
        pytest.param((job_text(),), "no", id="a job that never retries"),
        pytest.param((job_text(pod_spec="restartPolicy: OnFailure"),), "on-failure", id="a job that retries"),
        pytest.param((pod_text(spec="restartPolicy: Never"),), "no", id="a pod that never retries"),
        pytest.param((job_text(), pod_text()), "always", id="a job beside a service"),
    ],
)
def test_the_restart_policy_follows_from_the_pods(texts: tuple[str, ...], policy: str) -> None:
    assert line(make_unit(plan(*texts), REQUEST), "Restart") == policy


def test_a_run_elsewhere_is_ended_where_it_is() -> None:
    request = UnitRequest(program=("/usr/bin/podwright",), paths=("/web.yaml",), options=("--root", "/srv/pods"))
    text = make_unit(plan(pod_text()), request)
    assert line(text, "ExecStart") == "/usr/bin/podwright run --root /srv/pods -- /web.yaml"
    assert line(text, "ExecStopPost") == "-/usr/bin/podwright run --kube-down --root /srv/pods -- /web.yaml"


def test_pods_have_their_grace_to_end() -> None:
    text = make_unit(plan(pod_text(spec="terminationGracePeriodSeconds: 300")), REQUEST)
    assert line(text, "TimeoutStopSec") == "330"


def test_an_endpoint_that_was_named_must_be_there() -> None:
    request = UnitRequest(
        program=("/p",), paths=("/a.yaml", "/b.yaml"), options=("--now",), endpoint="unix:///run/containerd/c.sock"
    )
    text = make_unit(plan(pod_text()), request)
    assert line(text, "AssertPathExists") == "/run/containerd/c.sock"
    assert line(text, "ExecStart") == "/p --endpoint unix:///run/containerd/c.sock run --now -- /a.yaml /b.yaml"


def test_many_workloads_are_counted() -> None:
    text = make_unit(plan(*(pod_text(name) for name in "abcde")), REQUEST)
    assert line(text, "Description") == "Podwright: Pod default/a, Pod default/b, Pod default/c and 2 more"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("/a/b.yaml", "/a/b.yaml"),
        ("/a b", '"/a b"'),
        ("50%", '"50%%"'),
        ("$HOME", '"$$HOME"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\\b", '"a\\\\b"'),
        ("a\nb", '"a\\x0ab"'),
        ("", '""'),
    ],
)
def test_arguments_are_quoted_for_systemd(argument: str, expected: str) -> None:
    assert quoted(argument) == expected


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("")
    request = UnitRequest(program=("/bin/true",), paths=(str(file),))
    unit = tmp_path / "web.service"
    unit.write_text(make_unit(plan(pod_text()), request))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert "web.service" not in done.stderr
