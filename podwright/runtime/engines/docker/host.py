"""Containers in the Engine, as typed calls. It knows nothing of pods. Names are ours, see `labels`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, NotFound
from podwright.runtime.engines.docker import labels
from podwright.runtime.engines.docker.api.client import EngineClient, filters
from podwright.runtime.engines.docker.api.shapes import shaped
from podwright.runtime.engines.docker.facts import EngineFacts, facts_of
from podwright.runtime.engines.docker.state import EngineState, state_of

log = logging.getLogger(__name__)

START_S = 120.0  # it waits for the OCI runtime, which waits for the disk


class ListedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """One of our containers in a list: `name` is our id."""

    name: str
    engine_id: str
    kind: str
    runs: bool
    is_created: bool


class EngineHost:
    """One Engine. Every call raises as `api.failures` says, Unavailable and DeadlineExceeded."""

    def __init__(self, client: EngineClient, root: str) -> None:
        """`root` is the label of what is ours. `learn` comes before any other call."""
        self.client = client
        self.root = root
        self._facts: EngineFacts | None = None

    @property
    def facts(self) -> EngineFacts:
        """As last learned."""
        assert self._facts is not None
        return self._facts

    async def learn(self) -> EngineFacts:
        """Ask the Engine what it is. Raises FailedPrecondition for one that is too old."""
        version = await self.client.negotiate()
        info = await self.client.get("/info", "its settings")
        with shaped("its settings"):
            self._facts = facts_of(version, info, self.client.version)
        return self._facts

    async def create(self, name: str, body: Mapping[str, Any], what: str) -> str:
        """Create a container and return the Engine's id. Raises InvalidArgument, NotFound for the image."""
        made = await self.client.post("/containers/create", f"create {what}", body, query={"name": name})
        with shaped(f"create {what}"):
            for warning in made.get("Warnings") or ():
                log.info("the Engine warns: container=%s warning=%s", name[:12], warning)
            return str(made["Id"])

    async def start(self, name: str) -> None:
        """Start a created container. Raises what the OCI runtime says."""
        await self.client.post(f"/containers/{name}/start", f"start container {name[:12]}", timeout_s=START_S)

    async def inspect(self, name: str) -> EngineState | None:
        """Its state, or None if it does not exist."""
        what = f"inspect container {name[:12]}"
        try:
            found = await self.client.get(f"/containers/{name}/json", what)
        except NotFound:
            return None
        with shaped(what):
            return state_of(found)

    async def document(self, name: str) -> dict[str, Any]:
        """All that the Engine says of it. Empty if it does not exist."""
        try:
            found: dict[str, Any] = await self.client.get(f"/containers/{name}/json", f"inspect container {name[:12]}")
        except NotFound:
            return {}
        return found

    async def kill(self, name: str, signal_number: int) -> None:
        """Send a signal to the first process. A container that does not run, or does not exist, succeeds."""
        try:
            await self.client.post(
                f"/containers/{name}/kill", f"kill container {name[:12]}", query={"signal": str(signal_number)}
            )
        except NotFound:
            return
        except FailedPrecondition:
            state = await self.inspect(name)
            if state is not None and state.runs:
                raise

    async def remove(self, name: str) -> None:
        """Kill and remove it with its anonymous volumes. An absent one succeeds."""
        try:
            await self.client.delete(
                f"/containers/{name}", f"remove container {name[:12]}", query={"force": "1", "v": "1"}
            )
        except FailedPrecondition:  # somebody else is removing it
            if await self.inspect(name) is not None:
                raise

    async def pause(self, name: str) -> None:
        """Freeze its processes."""
        await self.client.post(f"/containers/{name}/pause", f"pause container {name[:12]}")

    async def unpause(self, name: str) -> None:
        """Let its processes run."""
        await self.client.post(f"/containers/{name}/unpause", f"unpause container {name[:12]}")

    async def update(self, name: str, body: Mapping[str, Any]) -> None:
        """Change limits."""
        await self.client.post(f"/containers/{name}/update", f"update container {name[:12]}", body)

    async def resize(self, path: str, width: int, height: int) -> None:
        """Set the size of a terminal. `path` names a container or an exec. One that has ended is ignored."""
        try:
            await self.client.post(f"{path}/resize", "resize", query={"w": str(width), "h": str(height)})
        except (NotFound, FailedPrecondition, DeadlineExceeded) as failure:
            log.debug("a terminal is not resized: error=%s", failure)

    async def ours(self) -> dict[str, ListedContainer]:
        """All containers that this daemon has made, by name."""
        wanted = {"all": "1", **filters(label=[f"{labels.ROOT}={self.root}"])}
        found = await self.client.get("/containers/json", "list containers", wanted)
        with shaped("list containers"):
            listed = [_listed(entry) for entry in found]
        return {entry.name: entry for entry in listed}


def _listed(entry: dict[str, Any]) -> ListedContainer:
    state = str(entry.get("State", ""))
    return ListedContainer(
        name=str(entry["Names"][0]).lstrip("/") if entry.get("Names") else str(entry["Id"]),
        engine_id=str(entry["Id"]),
        kind=str((entry.get("Labels") or {}).get(labels.KIND, "")),
        runs=state in ("running", "paused", "restarting"),
        is_created=state == "created",
    )


class EngineRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The Engine's part of a record of ours, kept in its `task` or `process`."""

    id: str = ""
    upper: str = ""  # the directory of what the container wrote
    log: str = ""  # the Engine's log file

    @staticmethod
    def of(part: dict[str, Any]) -> EngineRecord:
        """From a record."""
        return msgspec.convert(part, EngineRecord)

    @property
    def part(self) -> dict[str, Any]:
        """For a record."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found
