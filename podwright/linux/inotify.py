"""inotify(7): notifications about changes of files and directories on the running event loop.

One instance serves any number of watches, because the kernel limits instances per user (often to 128).
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable

from podwright.linux import libc

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_OPEN = 0x20
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000

_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_READ_BYTES = 64 * 1024

Wake = Callable[[], None]
Notice = Callable[[int, str], None]


class Inotify:
    """Calls `wake` of each watch whose file has changed. Several changes may cause one call.

    Who must know what has changed asks for notices instead.
    """

    def __init__(self) -> None:
        """Raises OSError if the kernel's limit of instances is reached."""
        self._descriptor = libc.inotify_init()
        self._wakes: dict[int, list[Wake]] = {}
        self._notices: dict[int, Notice] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def add(self, path: str, mask: int, wake: Wake) -> int:
        """Watch the inode at `path`. Returns the watch's number. Raises OSError.

        The same inode has the same number each time, and the mask of the last call.
        """
        watch = libc.inotify_add_watch(self._descriptor, path, mask)
        self._wakes.setdefault(watch, []).append(wake)
        return watch

    def add_notices(self, path: str, mask: int, notice: Notice) -> int:
        """Call `notice` for every change, in their order: its mask, and the name of the file in the directory `path`.

        The mask is IN_Q_OVERFLOW when changes are lost. An inode has one such watch. Raises OSError.
        """
        watch = libc.inotify_add_watch(self._descriptor, path, mask)
        self._notices[watch] = notice
        return watch

    def remove(self, watch: int, wake: Wake) -> None:
        """Undo one `add`. An unknown watch is ignored."""
        wakes = self._wakes.get(watch, [])
        if wake in wakes:
            wakes.remove(wake)
        if not wakes and self._wakes.pop(watch, None) is not None:
            libc.inotify_rm_watch(self._descriptor, watch)

    def close(self) -> None:
        """End all watches."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._wakes.clear()
        self._notices.clear()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        changed: dict[int, None] = {}
        position = 0
        while position < len(data):
            watch, mask, _, name_bytes = _EVENT.unpack_from(data, position)
            end = position + _EVENT.size + name_bytes
            name, position = os.fsdecode(data[position + _EVENT.size : end].rstrip(b"\0")), end
            # After an overflow the changes are unknown, so wake all watches.
            is_overflow = bool(mask & IN_Q_OVERFLOW)
            changed.update(dict.fromkeys(self._wakes) if is_overflow else {watch: None})
            for noticed in tuple(self._notices) if is_overflow else (watch,):
                if noticed in self._notices:
                    self._notices[noticed](mask, name)
        for watch in changed:
            for wake in tuple(self._wakes.get(watch, ())):
                wake()
