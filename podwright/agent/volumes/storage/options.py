"""The mount options of a PersistentVolume in the form of mount(2). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.linux import mount

# Options that are flags of mount(2). True sets the flag, False clears it.
FLAGS: dict[str, tuple[int, bool]] = {
    "ro": (mount.MS_RDONLY, True),
    "rw": (mount.MS_RDONLY, False),
    "nosuid": (mount.MS_NOSUID, True),
    "suid": (mount.MS_NOSUID, False),
    "nodev": (mount.MS_NODEV, True),
    "dev": (mount.MS_NODEV, False),
    "noexec": (mount.MS_NOEXEC, True),
    "exec": (mount.MS_NOEXEC, False),
    "sync": (16, True),
    "async": (16, False),
    "dirsync": (128, True),
    "noatime": (1024, True),
    "atime": (1024, False),
    "nodiratime": (2048, True),
    "diratime": (2048, False),
    "relatime": (1 << 21, True),
    "norelatime": (1 << 21, False),
    "strictatime": (1 << 24, True),
    "lazytime": (1 << 25, True),
    "nolazytime": (1 << 25, False),
    "defaults": (0, True),
}


def mount_flags(options: Iterable[str], *, read_only: bool) -> tuple[int, str]:
    """The flags, and the options for the filesystem.

    Splits options at commas. A later option replaces an earlier one.
    """
    flags, rest = mount.MS_RDONLY if read_only else 0, []
    for option in (part for text in options for part in text.split(",") if part):
        known = FLAGS.get(option)
        if known is None:
            rest.append(option)
        elif known[1]:
            flags |= known[0]
        else:
            flags &= ~known[0]
    return flags | (mount.MS_RDONLY if read_only else 0), ",".join(rest)
