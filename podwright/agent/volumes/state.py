"""The state of one pod's volumes: wanted, mounted, and their last failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from podwright.agent.volumes.plans import MountedVolume
from podwright.agent.volumes.plugins.protocol import VolumePlugin
from podwright.k8s.objects import Pod, Volume

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 122.0


class VolumeState(msgspec.Struct, kw_only=True):
    """One volume.

    `operated_by` is its plug-in's name in metrics, as far as known. `wanted_at` is the clock's monotonic time.
    `mounted` is None until it is set up, or verified after a restart of the agent. `digest` is that of its files.
    `due` demands another setup, and `hurry` ends the pause after a failure. `is_unprocessed`: it cannot be planned
    now. `is_unattached`: it waits to be attached to the node.
    """

    volume: Volume
    plugin: VolumePlugin
    operated_by: str
    wanted_at: float
    mounted: MountedVolume | None = None
    digest: bytes = b""
    is_final: bool = False
    failure: str = ""
    is_unprocessed: bool = False
    is_unattached: bool = False
    due: bool = False
    hurry: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    pause_s: float = 0.0

    @property
    def may_change(self) -> bool:
        """Whether a change of the pod or of an object makes it due again."""
        return self.mounted is None or (self.plugin.follows_changes and not self.is_final)

    def failed(self, message: str) -> float:
        """Record a failure. Returns how many seconds to wait before the next try."""
        self.failure = message
        self.due = True
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S) if self.pause_s else FIRST_PAUSE_S
        return self.pause_s

    def succeeded(self, mounted: MountedVolume, digest: bytes, *, is_final: bool) -> None:
        """Record what is mounted now."""
        self.mounted, self.digest, self.is_final = mounted, digest, is_final
        self.failure, self.pause_s, self.is_unprocessed = "", 0.0, False


class PodVolumes:
    """The volumes that the containers of one pod use. `pod` is its newest version."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.states: dict[str, VolumeState] = {}
        self.refused: dict[str, str] = {}  # messages about unknown kinds of volumes, by volume
        self.is_over = False
        self._news = asyncio.Condition()

    @property
    def mounted(self) -> Mapping[str, MountedVolume]:
        """The mounted volumes, by name."""
        return {name: state.mounted for name, state in self.states.items() if state.mounted is not None}

    def missing(self) -> list[str]:
        """The names of the volumes that are not mounted, sorted."""
        return sorted([*self.refused, *(name for name, state in self.states.items() if state.mounted is None)])

    def unprocessed(self) -> Mapping[str, str]:
        """Why missing volumes cannot be planned, by name."""
        return {
            **self.refused,
            **{
                name: state.failure
                for name, state in self.states.items()
                if state.is_unprocessed and state.mounted is None
            },
        }

    def unattached(self) -> list[str]:
        """The names of volumes that are not yet attached to the node, sorted."""
        return sorted(name for name, state in self.states.items() if state.is_unattached)

    def why(self) -> Mapping[str, str]:
        """The last failure of each missing volume."""
        failures = {name: state.failure for name, state in self.states.items() if state.mounted is None}
        return {**self.refused, **{name: failure for name, failure in failures.items() if failure}}

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition on this pod's volumes holds."""
        async with self._news:
            await self._news.wait_for(holds)

    async def notify(self) -> None:
        """Wake the callers of `until`, because something has changed."""
        async with self._news:
            self._news.notify_all()
