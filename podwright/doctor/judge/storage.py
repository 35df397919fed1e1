"""Judges disk space, limits and the clock. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts, StorageFacts
from podwright.doctor.finding import Finding, missing, note, ok, warning

GIB = 1024**3
FREE_NEEDED_BYTES = 256 * 1024**2
FREE_GOOD_BYTES = 2 * GIB
FREE_GOOD_SHARE = 0.10  # the kubelet evicts pods below 10 % (nodefs.available)
FREE_GOOD_INODE_SHARE = 0.05  # the kubelet evicts pods below 5 % (nodefs.inodesFree)
NOFILE_GOOD = 65536
INOTIFY_GOOD = 512
OLDEST_SANE_TIME_S = 1_735_689_600  # 2025-01-01: before this the clock was never set


def disk(facts: Facts) -> Finding:
    """The space on the filesystem of the root directory."""
    return _judged(facts.storage, "root")


def image_disk(facts: Facts) -> Finding:
    """The space on the filesystem of images, when they are not below the root."""
    return _judged(facts.images, "images.store") if facts.images else ok("images are below the root directory")


def _judged(storage: StorageFacts, key: str) -> Finding:
    """The space of a directory, which `key` of the configuration names."""
    shown = f"{storage.root} on {storage.filesystem}: {storage.free_bytes / GIB:.1f} GiB free"
    make_room = f"make room, or move `{key}` to a larger filesystem"
    if not storage.writable:
        return missing(
            f"{storage.root} is not writable", cost="nothing can be stored", remedy=f"run as root, or set `{key}`"
        )
    if storage.free_bytes < FREE_NEEDED_BYTES:
        return missing(shown, cost="images cannot be pulled", remedy=make_room)
    share = storage.free_bytes / storage.total_bytes if storage.total_bytes else 1.0
    if storage.free_bytes < FREE_GOOD_BYTES or share < FREE_GOOD_SHARE:
        return warning(shown, cost="a kubelet evicts pods below 10 %; pulls may fail", remedy=make_room)
    inode_share = storage.free_inodes / storage.total_inodes if storage.total_inodes else 1.0
    if inode_share < FREE_GOOD_INODE_SHARE:
        return warning(f"{shown}, {inode_share:.0%} of its inodes", cost="images have many files", remedy=make_room)
    return ok(shown)


def open_files(facts: Facts) -> Finding:
    """The limit of this process. The daemon needs a few descriptors per container."""
    limits = facts.limits
    shown = f"{limits.nofile_soft} (at most {limits.nofile_hard})"
    if limits.nofile_hard < NOFILE_GOOD:
        return warning(
            shown,
            cost="containers get this limit as their maximum, and many pods exhaust the daemon's own",
            remedy=f"ulimit -Hn {NOFILE_GOOD * 16} before the daemon starts (LimitNOFILE= in a systemd unit)",
        )
    return ok(shown)


def inotify(facts: Facts) -> Finding:
    """All processes of a user share the limit, and log followers in many containers exhaust it."""
    count = facts.limits.inotify_instances
    if 0 < count < INOTIFY_GOOD:
        return note(
            f"fs.inotify.max_user_instances = {count}",
            cost="with many pods, programs that watch files fail with EMFILE",
            remedy="sysctl -w fs.inotify.max_user_instances=8192",
        )
    return ok(f"fs.inotify.max_user_instances = {count}")


def clock(facts: Facts) -> Finding:
    """TLS and tokens need the time."""
    limits = facts.limits
    if limits.time_s < OLDEST_SANE_TIME_S:
        return warning(
            "the clock is years behind", cost="certificates of registries seem to be not yet valid",
            remedy="set the time: date -s ..., and run an NTP client",
        )  # fmt: skip
    if limits.clock_synchronised is False:
        return note(
            "set, but the kernel says that nothing keeps it synchronised",
            cost="logs of several nodes cannot be compared; tokens may be refused",
            remedy="run an NTP client, such as chrony or systemd-timesyncd",
        )
    return ok("set")
