"""SELinux: labels as values, the policy's defaults for containers, and labels of files.

The kernel decides what is enforced. Labels of files are extended attributes, which every host can write.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from podwright.linux.machine_files import read_text

ATTRIBUTE = "security.selinux"
CONFIG = "/etc/selinux/config"
CATEGORIES = 1024  # c0 to c1023
# Relabelling one of these for a container would deny access to the host's own programs.
HOST_DIRECTORIES = frozenset(
    (
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/opt", "/proc", "/root", "/run"),
        *("/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log"),  # noqa: S108 # names
    )
)


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A security context. `level` may contain colons (s0:c1,c2)."""

    user: str
    role: str
    type: str
    level: str

    def __str__(self) -> str:
        return f"{self.user}:{self.role}:{self.type}:{self.level}"

    def at(self, level: str) -> Label:
        """The same context at another level."""
        return replace(self, level=level)


def parse_label(text: str) -> Label | None:
    """The label in `text`, or None."""
    parts = text.strip().strip('"').split(":", 3)
    return Label(user=parts[0], role=parts[1], type=parts[2], level=parts[3]) if len(parts) == 4 else None


class Contexts(msgspec.Struct, frozen=True, kw_only=True):
    """The policy's contexts for processes and files of containers."""

    process: Label
    file: Label

    def at(self, level: str) -> Contexts:
        """Both at another level."""
        return Contexts(process=self.process.at(level), file=self.file.at(level))


DEFAULT_CONTEXTS = Contexts(
    process=Label(user="system_u", role="system_r", type="container_t", level="s0"),
    file=Label(user="system_u", role="object_r", type="container_file_t", level="s0"),
)


def is_enabled(root: str = "") -> bool:
    """Whether the kernel has SELinux with a policy loaded."""
    return os.path.exists(f"{root}/sys/fs/selinux/enforce")


def contexts(root: str = "") -> Contexts:
    """The contexts of the loaded policy (its `lxc_contexts` file), or the common defaults."""
    policy = re.search(r"^\s*SELINUXTYPE\s*=\s*(\S+)", read_text(f"{root}{CONFIG}"), re.MULTILINE)
    if policy is None:
        return DEFAULT_CONTEXTS
    return parse_contexts(read_text(f"{root}/etc/selinux/{policy[1]}/contexts/lxc_contexts"))


def parse_contexts(text: str) -> Contexts:
    """The contexts in an `lxc_contexts` file, with defaults for missing ones."""
    found = dict(re.findall(r'^\s*(\w+)\s*=\s*"?([^"\n]+)"?\s*$', text, re.MULTILINE))
    process, file = (parse_label(found.get(key, "")) for key in ("process", "file"))
    return Contexts(process=process or DEFAULT_CONTEXTS.process, file=file or DEFAULT_CONTEXTS.file)


def free_level(seed: int, taken: frozenset[str]) -> str:
    """A level with a free pair of categories, starting the search at the pair that `seed` selects.

    There are half a million pairs. If all are in use, pods share.
    """
    count = CATEGORIES * (CATEGORIES - 1) // 2
    for number in itertools.islice(itertools.count(seed), min(len(taken) + 1, count)):
        level = _pair(number % count)
        if level not in taken:
            return level
    return _pair(seed % count)


def _pair(number: int) -> str:
    """The pair with this number: (1, 0), (2, 0), (2, 1), (3, 0) and so on."""
    high = int(((8 * number + 1) ** 0.5 + 1) / 2)
    return f"s0:c{number - high * (high - 1) // 2},c{high}"


def set_label(path: str, label: str) -> None:
    """Label one file, or a link itself. Filesystems without labels are skipped. Raises OSError."""
    try:
        os.setxattr(path, ATTRIBUTE, label.encode() + b"\0", follow_symlinks=False)
    except OSError as failure:
        if failure.errno not in (errno.ENOTSUP, errno.EROFS):
            raise


def relabel(path: str, label: str) -> None:
    """Label a tree. Raises PermissionError for a directory of the host itself, and OSError."""
    if os.path.realpath(path) in HOST_DIRECTORIES:
        raise PermissionError(errno.EPERM, "the host's own directories cannot be relabelled", path)
    for entry in _tree(path):
        if _label_of(entry) != label:
            with contextlib.suppress(FileNotFoundError):  # it was removed in the meantime
                set_label(entry, label)


def _tree(path: str) -> Iterator[str]:
    """Paths through open directories, because a container may replace parts of the tree with links."""
    yield path
    for _, folders, files, fd in os.fwalk(path):
        yield from (f"/proc/self/fd/{fd}/{name}" for name in (*folders, *files))


def _label_of(path: str) -> str:
    try:
        return os.getxattr(path, ATTRIBUTE, follow_symlinks=False).rstrip(b"\0").decode(errors="replace")
    except OSError:
        return ""
