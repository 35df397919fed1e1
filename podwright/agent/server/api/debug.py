"""The inside of the agent, for developers: `/configz`, `/statusz`, `/flagz`, `/debug/...`."""

from __future__ import annotations

import asyncio
import json as std_json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.settings import KUBERNETES_VERSION
from podwright.agent.server.http.messages import JSON, Answer, HttpRequest, HttpResponse, json, text

NOSNIFF = (("x-content-type-options", "nosniff"),)
NOT_PARSEABLE = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is "
    "for debugging purposes only."
)
API_VERSION = "config.k8s.io/v1beta1"
FRAMES = 4  # shown of each task's stack
DEBUG_VERBOSITY = 4  # the kubelet's level from which we log debug lines


class DebugFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the handlers show.

    `document` is the effective KubeletConfiguration, `flags` has all flags with their values.
    """

    document: Mapping[str, Any]
    flags: Mapping[str, str]
    paths: tuple[str, ...]


class DebugPaths:
    """The handlers."""

    def __init__(self, facts: DebugFacts, clock: Clock) -> None:
        self._facts = facts
        self._clock = clock
        self._started_ns = clock.now_ns()

    async def configz(self, _: HttpRequest) -> Answer:
        """GET /configz: the configuration without apiVersion and kind, as a kubelet shows it."""
        return json(std_json.dumps({"kubeletconfig": dict(self._facts.document)}, separators=(",", ":")).encode())

    async def statusz(self, request: HttpRequest) -> Answer:
        """GET /statusz."""
        started = datetime.fromtimestamp(self._started_ns / 1e9, UTC)
        uptime_s = (self._clock.now_ns() - self._started_ns) // 10**9
        minor = KUBERNETES_VERSION.removeprefix("v").rpartition(".")[0]
        if _wants_structure(request):
            return _structured(
                "Statusz",
                {
                    "startTime": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "uptimeSeconds": uptime_s,
                    "goVersion": "",
                    "binaryVersion": KUBERNETES_VERSION.removeprefix("v"),
                    "emulationVersion": minor,
                    "paths": list(self._facts.paths),
                },
            )
        lines = [
            f"Started: {started:%a %b %d %H:%M:%S UTC %Y}",
            f"Up: {uptime_s // 3600} hr {uptime_s // 60 % 60:02d} min {uptime_s % 60:02d} sec",
            f"Binary version: {KUBERNETES_VERSION.removeprefix('v')}",
            f"Emulation version: {minor}",
            f"Paths: {' '.join(self._facts.paths)}",
        ]
        return text("\n".join(("\nkubelet statusz", NOT_PARSEABLE, "", *lines, "")), headers=NOSNIFF)

    async def flagz(self, request: HttpRequest) -> Answer:
        """GET /flagz."""
        flags = dict(sorted(self._facts.flags.items()))
        if _wants_structure(request):
            return _structured("Flagz", {"flags": flags})
        lines = [f"{name}={value}" for name, value in flags.items()]
        return text("\n".join(("\nkubelet flagz", NOT_PARSEABLE, "", *lines, "")), headers=NOSNIFF)

    async def verbosity(self, request: HttpRequest) -> Answer:
        """PUT /debug/flags/v: the log's verbosity, a number."""
        if request.method != "PUT":
            return text("unsupported http method\n", 406, headers=NOSNIFF)
        given = request.body.decode(errors="replace").strip()
        if not (given.removeprefix("-").isascii() and given.removeprefix("-").isdigit() and len(given) < 10):
            return text(f"failed set klog.logging.verbosity {given[:64]}: it is not a number\n", 400, headers=NOSNIFF)
        logging.getLogger().setLevel(logging.DEBUG if int(given) >= DEBUG_VERBOSITY else logging.INFO)
        return text(f"successfully set klog.logging.verbosity to {given}\n", headers=NOSNIFF)

    async def profile(self, request: HttpRequest) -> Answer:
        """GET /debug/pprof/...: the running tasks and the command line. There are no profiles of Go."""
        name = request.places.get("rest", "")
        if name == "goroutine":
            return text(_tasks(), headers=NOSNIFF)
        if name == "cmdline":
            with open("/proc/self/cmdline", "rb") as file:
                return HttpResponse(body=file.read().rstrip(b"\0"), headers=NOSNIFF)
        if not name:
            return text("goroutine: the agent's tasks and where they stand\ncmdline: the agent's command line\n")
        return text("Unknown profile\n", 404, headers=NOSNIFF)


def _tasks() -> str:
    lines = []
    for task in sorted(asyncio.all_tasks(), key=lambda each: each.get_name()):
        lines.append(f"{task.get_name()}:")
        for frame in task.get_stack(limit=FRAMES):
            code = frame.f_code
            lines.append(f"    {code.co_filename}:{frame.f_lineno} {code.co_qualname}")
    return "\n".join((*lines, ""))


def _wants_structure(request: HttpRequest) -> bool:
    return JSON in request.header("accept")


def _structured(kind: str, fields: Mapping[str, Any]) -> HttpResponse:
    document = {"kind": kind, "apiVersion": API_VERSION, "metadata": {"name": "kubelet"}, **fields}
    return json(std_json.dumps(document).encode())
