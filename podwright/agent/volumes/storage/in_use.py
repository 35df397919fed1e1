"""The CSI volumes that this node uses, and for whom.

The node's status names them, so that no controller detaches a mounted volume. A volume is named from before its mount
until nothing of it is left.
"""

from __future__ import annotations

from collections.abc import Callable

from podwright.agent.volumes.plans import StoredVolume

NODE = ""  # the holder of a volume that is staged


class VolumesInUse:
    """Volumes with their holders: pods by UID, and NODE. `changed` is called when the set of volumes changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._holders: dict[StoredVolume, set[str]] = {}
        self._changed = changed

    def add(self, volume: StoredVolume, holder: str) -> None:
        """Note that the holder uses the volume."""
        is_new = volume not in self._holders
        self._holders.setdefault(volume, set()).add(holder)
        if is_new:
            self._changed()

    def drop(self, volume: StoredVolume, holder: str) -> None:
        """Note that the holder does not use the volume any more."""
        holders = self._holders.get(volume)
        if holders is None:
            return
        holders.discard(holder)
        if not holders:
            del self._holders[volume]
            self._changed()

    def drop_all(self, holder: str) -> bool:
        """Note that the holder uses nothing any more. Returns False if it used nothing."""
        dropped = [volume for volume, holders in self._holders.items() if holder in holders]
        for volume in dropped:
            self.drop(volume, holder)
        return bool(dropped)

    def is_held_by(self, holder: str) -> bool:
        """Whether the holder uses any."""
        return any(holder in holders for holders in self._holders.values())

    def has_pods(self, volume: StoredVolume) -> bool:
        """Whether a pod uses it, or will soon."""
        return bool(self._holders.get(volume, set()) - {NODE})

    def volumes(self) -> tuple[StoredVolume, ...]:
        """All volumes in use."""
        return tuple(self._holders)
