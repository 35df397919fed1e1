"""The pods of the load: of all QoS classes, quiet and greedy, some that end by themselves. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.agent.resources.devices.plugin import RESOURCE

SLEEP = "trap exit TERM; sleep 10000 & wait"
GUARANTEED = {"cpu": "10m", "memory": "16Mi"}
GREEDY_MIB, DISK_MIB = (60, 220), (10, 70)
CRITICAL_PRIORITY = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPod:
    """`is_guaranteed`: nobody but the load may end it, or restart a container of it."""

    kind: str
    spec: dict[str, Any]
    is_guaranteed: bool = False


Draw = Callable[[random.Random, str], LoadPod]


def guaranteed(_: random.Random, image: str) -> LoadPod:
    """Does nothing, for as long as it may."""
    spec = _spec(image, SLEEP, requests=GUARANTEED, limits=GUARANTEED)
    return LoadPod(kind="guaranteed", spec=spec, is_guaranteed=True)


def burstable(_: random.Random, image: str) -> LoadPod:
    """The same with a request alone."""
    return LoadPod(kind="burstable", spec=_spec(image, SLEEP, requests={"cpu": "10m", "memory": "8Mi"}))


def job(chance: random.Random, image: str) -> LoadPod:
    """Ends soon, well or badly, and may start again."""
    code = chance.choice([0, 0, 1])
    spec = _spec(image, f"sleep {chance.uniform(0, 2):.1f}; exit {code}")
    return LoadPod(kind="job", spec={**spec, "restartPolicy": chance.choice(["Never", "OnFailure", "Always"])})


def memory_hog(chance: random.Random, image: str) -> LoadPod:
    """Takes memory, up to more than all pods may have."""
    size = chance.randint(*GREEDY_MIB)
    limits = {"memory": "100Mi"} if chance.random() < 0.3 else {}
    spec = _spec(image, f"dd if=/dev/zero bs={size}M count=1 | sleep 10000", limits=limits)
    return LoadPod(kind="memory hog", spec=spec)


def disk_hog(chance: random.Random, image: str) -> LoadPod:
    """Fills its volume: beyond its own limit, or the node's disk, or neither."""
    limit = {"sizeLimit": "15Mi"} if chance.random() < 0.5 else {}
    script = f"dd if=/dev/zero of=/data/big bs=1M count={chance.randint(*DISK_MIB)}; {SLEEP}"
    return LoadPod(kind="disk hog", spec=_spec(image, script, volume=limit))


def forker(_: random.Random, image: str) -> LoadPod:
    """Starts processes until it may not."""
    return LoadPod(kind="forker", spec=_spec(image, "while sleep 10000 & do :; done; wait"))


def talker(chance: random.Random, image: str) -> LoadPod:
    """Fills its log, beyond what its limit of local storage lets it."""
    script = f"dd if=/dev/zero bs=1M count={chance.randint(1, 4)} | tr '\\0' 'x'; {SLEEP}"
    return LoadPod(kind="talker", spec=_spec(image, script, limits={"ephemeral-storage": "2Mi"}))


def critical(_: random.Random, image: str) -> LoadPod:
    """Has to run, whoever has to go for it."""
    spec = _spec(image, SLEEP, requests={"cpu": "200m"})
    return LoadPod(kind="critical", spec={**spec, "priority": CRITICAL_PRIORITY})


def big(_: random.Random, image: str) -> LoadPod:
    """Requests so much that a critical pod has no room beside a few of them."""
    return LoadPod(kind="big", spec=_spec(image, SLEEP, requests={"cpu": "600m"}))


def with_device(_: random.Random, image: str) -> LoadPod:
    """Has a device of a plug-in that dies now and then."""
    amounts = {RESOURCE: "1"}
    return LoadPod(kind="device", spec=_spec(image, SLEEP, requests=amounts, limits=amounts))


KINDS: dict[Draw, int] = {  # and how often
    guaranteed: 4,
    burstable: 3,
    job: 4,
    memory_hog: 2,
    disk_hog: 2,
    forker: 1,
    talker: 1,
    critical: 1,
    big: 2,
    with_device: 2,
}


def draw(chance: random.Random, image: str) -> LoadPod:
    """Any pod."""
    [kind] = chance.choices(list(KINDS), weights=list(KINDS.values()))
    found = kind(chance, image)
    grace_s = chance.choice([0, 1, 2, 5])
    return LoadPod(
        kind=found.kind,
        spec={"terminationGracePeriodSeconds": grace_s, **found.spec},
        is_guaranteed=found.is_guaranteed,
    )


def _spec(
    image: str,
    script: str,
    *,
    requests: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
    volume: dict[str, str] | None = None,
) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "resources": {"requests": requests or {}, "limits": limits or {}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {"containers": [container], "volumes": [{"name": "data", "emptyDir": volume or {}}]}
