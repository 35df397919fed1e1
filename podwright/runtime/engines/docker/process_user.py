"""The user that a container's first process runs as, which the Engine has found in the image's files."""

from __future__ import annotations

from podwright.runtime.model.container import User


def user_of(pid: int) -> User | None:
    """The user and groups of a process of this host, or None if it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return parse(file.read())
    except OSError:
        return None


def parse(text: str) -> User | None:
    """The user in the text of a /proc/PID/status, or None. The primary group is among the groups."""
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in text.splitlines())}
    uids, gids = fields.get("Uid", []), fields.get("Gid", [])
    if len(uids) < 2 or len(gids) < 2:
        return None
    gid = int(gids[1])
    groups = sorted({gid, *(int(group) for group in fields.get("Groups", []))})
    return User(uid=int(uids[1]), gid=gid, groups=tuple(groups))
