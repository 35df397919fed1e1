"""The decision table: a pod, what runs of it, and what is to be done."""

from __future__ import annotations

import pytest

from podwright.agent.seed.manifest.bundle import load_bundle
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.pods.actions import PodActions, compute_pod_actions
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus, SandboxRecord, newest_first


def pod(policy: str = "Always", *, init: str = "", sidecars: str = "", regular: str = "a b") -> Pod:
    """A pod with init containers, then sidecars, then regular containers of these names."""
    inits = [f"{{name: {name}, image: i}}" for name in init.split()]
    inits += [f"{{name: {name}, image: i, restartPolicy: Always}}" for name in sidecars.split()]
    containers = ", ".join(f"{{name: {name}, image: i}}" for name in regular.split())
    return load_bundle(
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{restartPolicy: {policy}, "
        f"initContainers: [{', '.join(inits)}], containers: [{containers}]}}}}"
    ).pod


def status(text: str, *, sandboxes: str = "ready") -> PodStatus:
    """`a:running b:0 b:1 c:created`: instances in order; a number is an exit code. Sandboxes oldest first."""
    boxes = [
        SandboxRecord(id=f"s{number}", attempt=number, ready=word == "ready")
        for number, word in enumerate(sandboxes.split())
    ]
    attempts: dict[str, int] = {}
    records = []
    for word in text.split():
        name, _, state = word.partition(":")
        state, _, box = state.partition("@")
        attempts[name] = attempts.get(name, -1) + 1
        exited = state.isdigit()
        records.append(
            ContainerRecord(
                id=f"{name}{attempts[name]}",
                name=name,
                attempt=attempts[name],
                sandbox_id=box or (boxes[-1].id if boxes else ""),
                state="exited" if exited else state,  # type: ignore[arg-type] # the table's words are the states
                exit_code=int(state) if exited else 0,
            )
        )
    by_age, instances = newest_first(boxes, records)
    return PodStatus(sandboxes=by_age, containers=instances)


def shown(actions: PodActions) -> str:
    """A decision in a few words."""
    if actions.ended:
        return "end"
    words = [f"sandbox{actions.attempt}"] if actions.create_sandbox else []
    words += ["kill-pod"] if actions.kill_pod else []
    words += [f"kill-{record.name}" for record in actions.kill]
    return " ".join([*words, *actions.start]) or "wait"


CASES = [
    ("nothing yet", pod(), "", "", "sandbox0 a b"),
    ("nothing yet, init first", pod(init="i j"), "", "", "sandbox0 i"),
    ("fresh sandbox", pod(), "", "ready", "a b"),
    ("fresh sandbox, init first", pod(init="i j"), "", "ready", "i"),
    ("init runs", pod(init="i j"), "i:running", "ready", "wait"),
    ("next init", pod(init="i j"), "i:0", "ready", "j"),
    ("init done", pod(init="i j"), "i:0 j:0", "ready", "a b"),
    ("init failed, again", pod(init="i j"), "i:1", "ready", "i"),
    ("init failed twice, again", pod(init="i j"), "i:1 i:1", "ready", "i"),
    ("init failed, OnFailure", pod("OnFailure", init="i"), "i:1", "ready", "i"),
    ("init failed, Never", pod("Never", init="i"), "i:1", "ready", "end"),
    ("init recovered", pod(init="i"), "i:1 i:0", "ready", "a b"),
    ("one missing", pod(), "a:running", "ready", "b"),
    ("all run", pod(), "a:running b:running", "ready", "wait"),
    ("one succeeded, Always", pod(), "a:running b:0", "ready", "b"),
    ("one succeeded, OnFailure", pod("OnFailure"), "a:running b:0", "ready", "wait"),
    ("one failed, OnFailure", pod("OnFailure"), "a:running b:2", "ready", "b"),
    ("one failed, Never", pod("Never"), "a:running b:2", "ready", "wait"),
    ("all ended, Never", pod("Never"), "a:0 b:2", "ready", "end"),
    ("all ended, OnFailure", pod("OnFailure"), "a:0 b:0", "ready", "end"),
    ("all ended, Always", pod(), "a:0 b:0", "ready", "a b"),
    ("unknown is killed first", pod(), "a:unknown b:running", "ready", "kill-a a"),
    ("init is not looked at later", pod(init="i"), "i:1 a:running", "ready", "b"),
    ("sidecar first", pod(sidecars="s"), "", "ready", "s"),
    ("sidecar after init", pod(init="i", sidecars="s"), "i:0", "ready", "s"),
    ("sidecars one after the other", pod(sidecars="s t"), "s:running", "ready", "t"),
    ("regular after sidecars", pod(sidecars="s"), "s:running", "ready", "a b"),
    ("sidecar restarts beside the others", pod(sidecars="s"), "s:1 a:running b:running", "ready", "s"),
    ("sidecar restarts with Never, too", pod("Never", sidecars="s"), "s:0 a:running b:0", "ready", "s"),
    ("sidecar does not keep a pod alive", pod("Never", sidecars="s"), "s:running a:0 b:0", "ready", "end"),
    ("sandbox lost", pod(), "a:running b:running", "lost", "sandbox1 kill-pod a b"),
    ("sandbox lost, init again", pod(init="i"), "i:0 a:running b:running", "lost", "sandbox1 kill-pod i"),
    ("new sandbox, init again", pod(init="i"), "i:0@s0 a:0@s0 b:0@s0", "lost ready", "i"),
    ("new sandbox, regular again", pod(), "a:137@s0 b:137@s0", "lost ready", "a b"),
    ("sandbox lost, Never, had run", pod("Never"), "a:137 b:137", "lost", "end"),
    ("sandbox lost, Never, nothing had run", pod("Never"), "", "lost", "sandbox1 kill-pod a b"),
    ("sandbox lost, OnFailure, one is done", pod("OnFailure"), "a:0 b:137", "lost", "sandbox1 kill-pod b"),
    ("sandbox lost, OnFailure, all done", pod("OnFailure"), "a:0 b:0", "lost", "end"),
    ("two sandboxes at once", pod(), "a:running b:running", "ready ready", "sandbox2 kill-pod a b"),
]


@pytest.mark.parametrize(
    ("the_pod", "now", "sandboxes", "wanted"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_decisions(the_pod: Pod, now: str, sandboxes: str, wanted: str) -> None:
    assert shown(compute_pod_actions(the_pod, status(now, sandboxes=sandboxes))) == wanted
