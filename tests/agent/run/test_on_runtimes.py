"""`podwright run` against real CRI servers: ours and a peer's. The manifests are what people write."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from podwright.agent.pods.identity import POD_UID
from podwright.agent.run.kube_down import plan_of, take_down
from podwright.agent.run.release import release
from podwright.agent.run.reporter import describe
from podwright.agent.runtime.client import RuntimeClient
from podwright.conformance.patience import patient
from podwright.cri.v1 import api_pb2 as api
from tests.agent.run.real import PodFiles
from tests.agent.run.recording import RecordingReporter
from tools.ports import free_port

pytestmark = pytest.mark.root

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
TRAP = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


def running(seen: RecordingReporter) -> bool:
    return "Running" in seen.phases


DEAF = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def said_ready(seen: RecordingReporter) -> bool:
    """Whether the program runs, and not only its container: it ignores signals from then on."""
    return any(line.text == "ready" for line in seen.lines)


def pod(containers: str, *, spec: str = "restartPolicy: Never", name: str = "p") -> str:
    """A pod; `containers` is YAML for the list, at no indentation."""
    text = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": yaml.safe_load(spec) or {}}
    text["spec"]["containers"] = yaml.safe_load(containers)  # type: ignore[index] # made just above
    return yaml.safe_dump(text)


def shell(script: str, name: str = "c", **fields: object) -> str:
    """One container that runs a script."""
    return yaml.safe_dump(
        [{"name": name, "image": "busybox:1.36", "command": ["sh", "-c", script], **fields}], default_flow_style=True
    )


async def assert_nothing_left(files: PodFiles) -> None:
    assert files.left() == []
    assert await files.sandboxes() == []


async def test_hello_serves_on_its_host_port_and_stops_cleanly(pod_files: PodFiles) -> None:
    port = free_port()
    run = pod_files.run((EXAMPLES / "hello.yaml").read_text().replace("18080", str(port)))
    task = asyncio.create_task(run.code())
    await run.until(lambda seen: seen.text("fetch"), task)
    page = await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/")
    run.stop.ask()
    assert await task == 0
    assert page == "Hello, this is Podwright from pod hello in namespace default\n"
    assert run.seen.text("fetch")[0].endswith("says: " + page.strip())
    assert run.seen.states("write-page") == ["running", "exited:0"]
    assert run.seen.states("web") == ["running", "exited:0"]
    assert run.seen.phases == ["Pending", "Running", "Stopping", "Stopped"]
    assert not run.seen.warnings
    assert not run.seen.errors
    await assert_nothing_left(pod_files)


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=patient(60)) as response:
        text: bytes = response.read()
    return text.decode()


async def test_config_maps_secrets_and_the_downward_api(pod_files: PodFiles) -> None:
    run = pod_files.run((EXAMPLES / "configmap.yaml").read_text())
    assert await run.code() == 0
    assert run.seen.text("show") == [
        "colour from the environment: green",
        "user name from envFrom: admin",
        "a file of the ConfigMap:",
        "listen = 8080",
        "workers = 2",
        "one key by subPath:",
        "listen = 8080",
        "workers = 2",
        "the password has 17 bytes and mode 440",
        "memory limit: 64 MiB; running as 1000:1000, groups 1000 2000",
    ]
    await assert_nothing_left(pod_files)


async def test_a_failing_container_is_named(pod_files: PodFiles) -> None:
    run = pod_files.run((EXAMPLES / "failing.yaml").read_text())
    assert await run.code() == 1
    assert run.seen.errors == ["container bad exited with code 3 (Error): the disk of dreams is full"]
    assert run.seen.states("good") == ["running", "exited:0"]
    await assert_nothing_left(pod_files)


async def test_a_long_termination_message_does_not_fill_the_screen(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell("yes no | head -n 1365 > /dev/termination-log; exit 3")))
    assert await run.code() == 1
    (ended,) = [change for change in run.seen.changes if change.exit_code == 3]
    assert len(ended.message.splitlines()) > 1000
    shown = [describe(ended), *run.seen.errors]
    assert len(shown) > 1
    assert all("no\n[" in text and len(text.splitlines()) <= 10 for text in shown)


async def test_a_failing_init_container_ends_the_pod(pod_files: PodFiles) -> None:
    spec = "{restartPolicy: Never, initContainers: [{name: i, image: 'busybox:1.36', command: [sh, -c, exit 4]}]}"
    run = pod_files.run(pod(shell("echo never"), spec=spec))
    assert await run.code() == 1
    assert run.seen.errors[0].startswith("container i exited with code 4")
    assert run.seen.states("c") == []
    await assert_nothing_left(pod_files)


async def test_on_failure_restarts_until_it_works(pod_files: PodFiles) -> None:
    script = "echo try; [ -e /v/once ] && exit 0; touch /v/once; exit 1"
    mounts = [{"name": "v", "mountPath": "/v"}]
    spec = "{restartPolicy: OnFailure, volumes: [{name: v, emptyDir: {}}]}"
    run = pod_files.run(pod(shell(script, volumeMounts=mounts), spec=spec))
    assert await run.code() == 0
    assert run.seen.states("c") == ["running", "exited:1", "running", "exited:0"]
    assert [change.attempt for change in run.seen.changes] == [0, 0, 1, 1]
    assert run.seen.text("c") == ["try", "try"]
    await assert_nothing_left(pod_files)


async def test_a_crash_loop_backs_off_and_a_stop_tells_of_it(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell("exit 7"), spec="restartPolicy: Always"))
    code = await run.code_after(lambda seen: "waiting" in seen.states("c"))
    assert code == 1
    assert run.seen.states("c") == ["running", "exited:7", "running", "exited:7", "waiting"]
    assert run.seen.changes[-1].reason == "CrashLoopBackOff"
    assert run.seen.errors[0].startswith("container c exited with code 7")
    await assert_nothing_left(pod_files)


async def test_sidecars_run_beside_and_end_after_the_others(pod_files: PodFiles) -> None:
    side = f"{{name: s, image: 'busybox:1.36', restartPolicy: Always, command: [sh, -c, \"{TRAP}\"]}}"
    spec = f"{{restartPolicy: Never, initContainers: [{side}]}}"
    run = pod_files.run(pod(shell("echo done"), spec=spec))
    assert await run.code() == 0
    order = [(change.container, change.phase) for change in run.seen.changes]
    assert order == [("s", "running"), ("c", "running"), ("c", "exited"), ("s", "exited")]
    await assert_nothing_left(pod_files)


async def test_a_container_that_ignores_the_signal_is_killed_after_the_grace(pod_files: PodFiles) -> None:
    spec = "{terminationGracePeriodSeconds: 1}"
    run = pod_files.run(pod(shell(DEAF), spec=spec))
    started = time.monotonic()
    assert await run.code_after(said_ready) == 0
    assert time.monotonic() - started >= 1
    assert run.seen.warnings == ["container c did not end within 1 s and was killed"]
    await assert_nothing_left(pod_files)


async def test_a_second_request_stops_at_once(pod_files: PodFiles) -> None:
    spec = "{terminationGracePeriodSeconds: 600}"
    run = pod_files.run(pod(shell(DEAF), spec=spec))
    assert await run.code_after(said_ready, 0.0, 0.5) == 1
    assert run.seen.errors == ["stopped at once on the second request"]
    await assert_nothing_left(pod_files)


async def test_the_timeout_stops_the_pod(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell(TRAP)), timeout_s=1.0)
    assert await run.code() == 124
    assert run.seen.errors == ["the pods did not end within 1 s"]
    await assert_nothing_left(pod_files)


@pytest.mark.parametrize(
    ("image", "policy", "reason"),
    [
        ("busybox:none", "IfNotPresent", "ErrImagePull"),
        ("busybox:none", "Never", "ErrImageNeverPull"),
        ("Bad Name", "IfNotPresent", ""),
    ],
)
async def test_an_image_that_cannot_be_had(pod_files: PodFiles, image: str, policy: str, reason: str) -> None:
    run = pod_files.run(pod(shell("true", image=image, imagePullPolicy=policy)))
    assert await run.code() == 1
    (error,) = run.seen.errors
    assert error.startswith("container c")
    assert reason in error
    await assert_nothing_left(pod_files)


@pytest.mark.parametrize("policy", ["Never", "Always"])
async def test_a_missing_binary_is_one_error(pod_files: PodFiles, policy: str) -> None:
    manifest = pod("[{name: c, image: 'busybox:1.36', command: [/no/such/program]}]", spec=f"restartPolicy: {policy}")
    run = pod_files.run(manifest)
    assert await run.code() == 1
    (error,) = run.seen.errors
    assert any(reason in error for reason in ("RunContainerError", "CreateContainerError", "StartError"))
    assert "/no/such/program" in error
    await assert_nothing_left(pod_files)


async def test_run_as_non_root_is_kept(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell("id -u", securityContext={"runAsNonRoot": True})))
    assert await run.code() == 1
    assert "runAsNonRoot" in run.seen.errors[0]
    await assert_nothing_left(pod_files)


async def test_detach_leaves_the_pod_and_a_later_run_sweeps_its_files(pod_files: PodFiles) -> None:
    detached = pod_files.run(pod(shell(TRAP)), detach=True)
    assert await detached.code() == 0
    assert detached.seen.phases[-1] == "Detached"
    (sandbox,) = await pod_files.sandboxes()
    assert len(pod_files.left()) == 4  # the record, the agent's directory, the logs, a link to a log

    again = pod_files.run(pod(shell("true")))
    assert await again.code() == 1
    assert "runs already" in again.seen.errors[0]

    cri = pod_files.peer.client
    await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox))
    await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox))
    assert await pod_files.run(pod(shell("true"))).code() == 0
    await assert_nothing_left(pod_files)


async def test_detached_pods_are_ended_by_kube_down(pod_files: PodFiles) -> None:
    mounts = [{"name": "v", "mountPath": "/v"}]
    spec = "{volumes: [{name: v, emptyDir: {medium: Memory}}]}"
    run = pod_files.run(pod(shell(TRAP, volumeMounts=mounts), spec=spec), detach=True)
    assert await run.code() == 0
    root = run.options.root
    code = await take_down(
        plan_of(run.options.paths),
        root=root,
        endpoint=pod_files.peer.endpoint,
        runtime=RuntimeClient(pod_files.peer.client),
        release=functools.partial(release, root),
        reporter=run.seen,
    )
    assert code == 0, run.seen
    await assert_nothing_left(pod_files)


async def test_what_others_have_is_left_alone(pod_files: PodFiles) -> None:
    """A pod of somebody else that has ended, with logs and a link to a log that is being rotated."""
    cri, logs = pod_files.peer.client, pod_files.directory / "logs"
    labels = {POD_UID: "foreign", "io.kubernetes.pod.name": "other", "io.kubernetes.pod.namespace": "default"}
    metadata = api.PodSandboxMetadata(name="other", namespace="default", uid="foreign")
    config = api.PodSandboxConfig(
        metadata=metadata,
        labels=labels,
        linux=api.LinuxPodSandboxConfig(cgroup_parent=pod_files.peer.cgroup_parent),
    )
    made = await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
    foreign = made.pod_sandbox_id
    try:
        await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=foreign))
        log = logs / "default_other_foreign/c/0.log"
        log.parent.mkdir(parents=True)
        link = pod_files.directory / "containers/other_default_c-0123.log"
        link.parent.mkdir()
        link.symlink_to(log)
        assert await pod_files.run(pod(shell("exit 0"))).code() == 0
        assert await pod_files.sandboxes() == [foreign]
        assert pod_files.left() == [str(log.parent.parent), str(link)]
    finally:
        await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=foreign))


async def test_runs_side_by_side_leave_each_other_alone(pod_files: PodFiles) -> None:
    mounts = [{"name": "v", "mountPath": "/v"}]
    script = f"echo kept > /v/file; echo up; trap 'cat /v/file; exit 0' TERM; {TRAP.partition(';')[2]}"
    first = pod_files.run(pod(shell(script, volumeMounts=mounts), spec="{volumes: [{name: v, emptyDir: {}}]}"))
    task = asyncio.create_task(first.code())
    await first.until(lambda seen: seen.text("c"), task)
    assert await pod_files.run(pod(shell("exit 0"), name="q")).code() == 0
    first.stop.ask()
    assert await task == 0
    assert first.seen.text("c") == ["up", "kept"]
    assert not first.seen.warnings
    await assert_nothing_left(pod_files)


async def test_watch_replaces_the_pod(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell(f"echo one; {TRAP}")), watch=True)
    file = Path(run.options.paths[0])
    task = asyncio.create_task(run.code())
    await run.until(lambda seen: "one" in seen.text("c"), task)
    file.write_text("{apiVersion: v1, kind: Podd}\n")
    await run.until(lambda seen: seen.errors, task)
    file.write_text(pod(shell("echo two")))
    await run.until(lambda seen: "waiting for the files to change" in seen.infos, task)
    file.write_text(pod(shell(f"echo three; {TRAP}")))
    await run.until(lambda seen: "three" in seen.text("c"), task)
    run.stop.ask()
    assert await task == 0
    assert run.seen.text("c") == ["one", "two", "three"]
    assert "did you mean Pod?" in run.seen.errors[0]
    await assert_nothing_left(pod_files)


@pytest.mark.slow
async def test_a_lost_sandbox_is_replaced(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell(f"echo up; {TRAP}"), spec="{restartPolicy: Always}"))
    task = asyncio.create_task(run.code())
    await run.until(running, task)
    (sandbox,) = await pod_files.sandboxes()
    cri = pod_files.peer.client
    await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox))
    await run.until(lambda seen: seen.states("c").count("running") == 2, task)
    run.stop.ask()
    assert await task == 0
    assert any("SandboxChanged" in warning for warning in run.seen.warnings)
    await assert_nothing_left(pod_files)


async def test_hooks_run_inside_the_container(pod_files: PodFiles) -> None:
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo started > /v/hook"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo stopping > /v/hook"]}},
    }
    wait = "while [ ! -e /v/hook ]; do sleep 0.05; done; cat /v/hook; while :; do sleep 0.1; done"
    script = f"trap 'cat /v/hook; exit 0' TERM; {wait}"
    mounts = [{"name": "v", "mountPath": "/v"}]
    run = pod_files.run(
        pod(shell(script, lifecycle=hooks, volumeMounts=mounts), spec="{volumes: [{name: v, emptyDir: {}}]}")
    )
    assert await run.code_after(lambda seen: seen.text("c")) == 0
    assert run.seen.text("c") == ["started", "stopping"]
    assert not run.seen.warnings


async def test_a_container_is_shown_while_its_pod_still_starts(pod_files: PodFiles) -> None:
    hook = {"postStart": {"exec": {"command": ["sleep", "2"]}}}
    first = yaml.safe_load(shell(f"echo up; {TRAP}", "first", lifecycle=hook))
    second = yaml.safe_load(shell(TRAP, "second"))
    run = pod_files.run(pod(yaml.safe_dump(first + second)))
    task = asyncio.create_task(run.code())
    await run.until(lambda seen: seen.text("first"), task)
    assert run.seen.states("second") == []
    await run.until(lambda seen: seen.states("second"), task)
    run.stop.ask()
    assert await task == 0


async def test_a_node_selector_keeps_no_pod_away(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell("echo here"), spec="{restartPolicy: Never, nodeSelector: {disk: ssd}}"))
    assert await run.code() == 0
    assert run.seen.text("c") == ["here"]
    assert "spec.nodeSelector is not honoured" in run.seen.warnings[0]


async def test_what_a_container_sees(pod_files: PodFiles) -> None:
    script = (
        "hostname; grep -c alias-host /etc/hosts; grep ndots /etc/resolv.conf; "
        "df -k /mem | tail -1 | awk '{print $2}'; "
        "touch /ro/x 2>/dev/null || echo read-only; touch /x 2>/dev/null || echo root read-only; "
        "grep -c CapEff:.0000000000000000 /proc/self/status; grep NoNewPrivs /proc/self/status | tr '\\t' ' '; "
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"
    )
    spec = """
restartPolicy: Never
hostname: other
hostAliases: [{ip: 192.0.2.1, hostnames: [alias-host]}]
dnsPolicy: "None"
dnsConfig: {nameservers: [192.0.2.53], options: [{name: ndots, value: "3"}]}
securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "80"}]}
volumes: [{name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}, {name: d, emptyDir: {}}]
"""
    security = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": 1234,
    }
    mounts = [{"name": "m", "mountPath": "/mem"}, {"name": "d", "mountPath": "/ro", "readOnly": True}]
    run = pod_files.run(pod(shell(script, securityContext=security, volumeMounts=mounts), spec=spec))
    assert await run.code() == 0
    assert run.seen.text("c") == [
        "other",
        "1",
        "options ndots:3",
        "1024",
        "read-only",
        "root read-only",
        "1",
        "NoNewPrivs: 1",
        "80",
    ]


VOLUMES_OF_OBJECTS = """
restartPolicy: Never
volumes:
- {name: m, configMap: {name: o}}
- {name: s, secret: {secretName: o}}
- {name: d, downwardAPI: {items: [{path: key, fieldRef: {fieldPath: metadata.name}}]}}
- {name: p, projected: {sources: [{configMap: {name: o}}]}}
"""
OBJECTS = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: o}, data: {key: value}}
---
{apiVersion: v1, kind: Secret, metadata: {name: o}, stringData: {key: value}}
"""


async def test_volumes_that_hold_objects_cannot_be_changed_by_a_container(pod_files: PodFiles) -> None:
    script = (
        "for path in /m/key /s/key /d/key /p/key /sub-m /sub-s /sub-d /sub-p; do "
        "(echo changed > $path) 2>/dev/null && echo $path; [ -s $path ] || echo $path is empty; done; "
        "for folder in /m /s /d /p; do rm -f $folder/..data 2>/dev/null && echo $folder; done; echo done"
    )
    whole = [{"name": name, "mountPath": f"/{name}", "readOnly": False} for name in "msdp"]
    parts = [{"name": name, "mountPath": f"/sub-{name}", "subPath": "key"} for name in "msdp"]
    manifest = pod(shell(script, volumeMounts=whole + parts), spec=VOLUMES_OF_OBJECTS)
    run = pod_files.run(f"{manifest}---{OBJECTS}")
    assert await run.code() == 0
    assert run.seen.text("c") == ["done"]
    await assert_nothing_left(pod_files)


async def test_containers_share_what_the_pod_says(pod_files: PodFiles) -> None:
    mount = {"name": "v", "mountPath": "/v"}
    until = "while [ ! -e {} ]; do sleep 0.05; done"
    first = shell(f"echo hi > /v/a; {until.format('/v/b')}", "a", volumeMounts=[{**mount, "subPath": "x"}])
    second = shell(
        f"{until.format('/v/x/a')}; cat /v/x/a; [ $$ = 1 ] || echo pids are shared; touch /v/x/b",
        "b",
        volumeMounts=[mount],
    )
    spec = "{restartPolicy: Never, shareProcessNamespace: true, volumes: [{name: v, emptyDir: {}}]}"
    run = pod_files.run(pod(yaml.safe_dump(yaml.safe_load(first) + yaml.safe_load(second)), spec=spec))
    assert await run.code() == 0
    assert run.seen.text("b") == ["hi", "pids are shared"]
    await assert_nothing_left(pod_files)


async def test_names_labels_and_logs_are_the_kubelets(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell(f"echo line; {TRAP}")))
    task = asyncio.create_task(run.code())
    await run.until(lambda seen: seen.text("c"), task)
    cri = pod_files.peer.client
    (container,) = (await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())).containers
    uid = container.labels[POD_UID]
    assert container.labels["io.kubernetes.container.name"] == "c"
    assert container.annotations["io.kubernetes.container.restartCount"] == "0"
    log = pod_files.directory / "logs" / f"default_p_{uid}" / "c/0.log"
    assert " stdout F line" in log.read_text()
    run.stop.ask()
    assert await task == 0


async def test_fields_that_are_not_honoured_are_named(pod_files: PodFiles) -> None:
    run = pod_files.run(pod(shell("true"), spec="{restartPolicy: Never, nodeName: x}"))
    assert await run.code() == 0
    meaning = "there is no scheduler, every pod runs on this machine"
    assert run.seen.warnings == [f"Pod p: spec.nodeName is not honoured: {meaning}"]


async def test_pull_secrets_of_the_file_are_used(pod_files: PodFiles) -> None:
    """A registry that wants none takes any: this shows that the secret travels without breaking the pull."""
    auth = base64.b64encode(b"me:word").decode()
    config = json.dumps({"auths": {"docker.io": {"auth": auth}}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "k"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": config},
    }
    spec = "{restartPolicy: Never, imagePullSecrets: [{name: k}]}"
    text = pod(shell("true", imagePullPolicy="Always"), spec=spec) + "---\n" + yaml.safe_dump(secret)
    run = pod_files.run(text)
    assert await run.code() == 0
    assert run.seen.pulls == [("busybox:1.36", "started"), ("busybox:1.36", "finished")]
