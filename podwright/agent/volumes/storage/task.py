"""One call to a kind of storage."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from podwright.k8s.objects import Pod


class StorageTask(msgspec.Struct, frozen=True, kw_only=True):
    """One call for a volume.

    `is_mounted`: it is already mounted. `waiting` is called with whether it waits for its attachment.
    """

    pod: Pod
    is_mounted: bool
    waiting: Callable[[bool], None]
