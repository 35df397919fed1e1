"""Capabilities: the kernel's numbers, and those of this process (capabilities(7))."""

from __future__ import annotations

# fmt: off
NAMES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)
# fmt: on


def decode(mask: int) -> frozenset[str]:
    """The names in a bit mask as in /proc/PID/status. Bits without a name are skipped."""
    return frozenset(name for number, name in enumerate(NAMES) if mask >> number & 1)


def held(status_text: str) -> frozenset[str]:
    """The effective capabilities in the text of a /proc/PID/status."""
    for line in status_text.splitlines():
        if line.startswith("CapEff:"):
            return decode(int(line.split()[1], 16))
    return frozenset()


def held_by_this_process() -> frozenset[str]:
    """The effective capabilities of this process."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return held(file.read())
