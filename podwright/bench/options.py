"""The options of a bench run, which are part of its report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from podwright.cri.endpoint import normalise, socket_path
from podwright.errors import InvalidArgument

MAX_PODS = 1000
SUITES = ("start", "density", "relist", "exec", "pull", "lifecycle", "agent")
LONG_SUITES = frozenset(("density", "relist", "pull", "lifecycle", "agent"))
DOCKER_SCHEME = "docker+"  # docker+unix:///run/docker.sock
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z")


class TargetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One target to measure.

    `handler` is CRI's runtime handler, or Docker's `Runtime`, empty for the default. An empty `cgroup_parent` leaves
    pods in the target's own default. `restart` is a command that restarts the daemon and may return before it
    answers. `below` is the endpoint of a Docker Engine in which the target runs pods: its processes are counted with
    the target's. `agent` is the command of a node agent, which makes the pods of the suite `agent` (see
    `agents.command`). `files` (name to content) describe its configuration.
    """

    name: str
    endpoint: str
    kind: Literal["cri", "docker"] = "cri"
    handler: str = ""
    cgroup_parent: str = ""
    restart: tuple[str, ...] = ()
    below: str = ""
    agent: tuple[str, ...] = ()
    files: dict[str, str] = {}


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The amount of work. Every number is per round and target.

    `image` needs `sh`, `sleep`, `true`, and for port-forward busybox's `httpd` and `nc`. It is pulled if missing.
    `image_series` is a repository with the tags 0, 1, 2 ... for the growth with images.
    """

    suites: tuple[str, ...] = SUITES
    rounds: int = 2
    long_rounds: int = 1  # for suites that take minutes: all except start and exec
    image: str = "busybox:latest"
    warmup: int = 2  # pods before each suite, not counted
    pods: int = 20  # for each of `concurrencies`
    concurrencies: tuple[int, ...] = (1, 4, 16)
    steps: tuple[int, ...] = (10, 50, 100, 200)  # pods in density and relist
    containers: int = 10  # in one pod, for the growth with containers
    relists: int = 3  # at each step, one a second
    execs: int = 50
    bursts: tuple[int, ...] = (10, 50, 200)  # pods started all at once in lifecycle
    pull_images: tuple[str, ...] = ()
    pulls: int = 2
    image_series: str = ""
    image_steps: tuple[int, ...] = (10, 50)
    agent_pods: tuple[int, ...] = (50, 100)  # numbers of pods of a node agent
    idle_s: float = 30.0  # time of the measurement of an idle node agent
    settle_s: float = 20.0  # limit of the wait for an idle machine before each suite on each target
    step_limit_s: float = 20.0  # a target that needs longer for one step skips the larger ones
    notes: tuple[str, ...] = ()

    def rounds_of(self, suite: str) -> int:
        """The number of rounds of a suite on each target."""
        return self.long_rounds if suite in LONG_SUITES else self.rounds

    def check(self) -> None:
        """Raises InvalidArgument for numbers that make no sense."""
        unknown = [suite for suite in self.suites if suite not in SUITES]
        if unknown or not self.suites:
            raise InvalidArgument(
                f"there is no suite {', '.join(unknown) or '(none)'}", hint=f"of {', '.join(SUITES)}"
            )
        for name in ("rounds", "long_rounds", "pods", "containers", "relists", "execs", "pulls"):
            if getattr(self, name) < 1:
                raise InvalidArgument(f"{name} must be at least 1")
        for name in ("concurrencies", "steps", "bursts", "image_steps", "agent_pods"):
            values = getattr(self, name)
            if not values or min(values) < 1:
                raise InvalidArgument(f"{name} must be at least 1")
        if max(self.pods, *self.steps, *self.bursts, *self.agent_pods) > MAX_PODS:
            raise InvalidArgument(f"the number of pods must be between 1 and {MAX_PODS}")
        for name in ("steps", "image_steps", "agent_pods"):
            if any(later <= earlier for earlier, later in pairwise(getattr(self, name))):
                raise InvalidArgument(f"{name} must grow")
        if self.warmup < 0:
            raise InvalidArgument("the number of warm-up pods cannot be negative")
        if self.idle_s <= 0:
            raise InvalidArgument("idle_s must be more than 0")


def parse_targets(
    endpoints: Sequence[str], per_target: Mapping[str, Mapping[str, object]] | None = None
) -> tuple[TargetOptions, ...]:
    """Parse `[NAME=]unix:///path` and `[NAME=]docker+unix:///path`. `per_target` has further fields by name.

    Raises InvalidArgument for invalid endpoints, for a name that is used twice, and for fields of unknown targets.
    """
    more = per_target or {}
    targets = [_parse_target(text, more) for text in endpoints]
    names = [target.name for target in targets]
    if not names:
        raise InvalidArgument("there is no endpoint to measure")
    for name in names:
        if names.count(name) > 1:
            raise InvalidArgument(f"two endpoints are named {name}", hint="name them: --endpoint NAME=unix:///path")
    for name in more:
        if name not in names:
            raise InvalidArgument(f"no endpoint is named {name}", hint=f"there are {', '.join(names)}")
    return tuple(targets)


def _parse_target(text: str, more: Mapping[str, Mapping[str, object]]) -> TargetOptions:
    name, equals, url = text.partition("=")
    if not equals or "/" in name:
        name, url = "", text
    docker = url.startswith(DOCKER_SCHEME)
    endpoint = normalise(url.removeprefix(DOCKER_SCHEME))
    name = name or socket_path(endpoint).rpartition("/")[2].removesuffix(".sock")
    if not NAME.match(name):
        raise InvalidArgument(f"{name!r} cannot name an endpoint", hint="use letters, digits and -._+")
    fields = {"name": name, "endpoint": endpoint, "kind": "docker" if docker else "cri", **more.get(name, {})}
    return msgspec.convert(fields, TargetOptions)
