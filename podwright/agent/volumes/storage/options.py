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
    "sync": (mount.MS_SYNCHRONOUS, True),
    "async": (mount.MS_SYNCHRONOUS, False),
    "dirsync": (mount.MS_DIRSYNC, True),
    "noatime": (mount.MS_NOATIME, True),
    "atime": (mount.MS_NOATIME, False),
    "nodiratime": (mount.MS_NODIRATIME, True),
    "diratime": (mount.MS_NODIRATIME, False),
    "relatime": (mount.MS_RELATIME, True),
    "norelatime": (mount.MS_RELATIME, False),
    "strictatime": (mount.MS_STRICTATIME, True),
    "lazytime": (mount.MS_LAZYTIME, True),
    "nolazytime": (mount.MS_LAZYTIME, False),
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
