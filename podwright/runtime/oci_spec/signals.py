"""Stop signals: CRI's numbers and images' names to the kernel's numbers."""

from __future__ import annotations

import signal

from podwright.errors import InvalidArgument

# CRI's Signal enum in order. RTMIN+n and RTMAX-n are written as in images.
CRI_NAMES = (
    "", "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT",
    "SIGIO", "SIGIOT", "SIGKILL", "SIGPIPE", "SIGPOLL", "SIGPROF", "SIGPWR", "SIGQUIT", "SIGSEGV", "SIGSTKFLT",
    "SIGSTOP", "SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2",
    "SIGVTALRM", "SIGWINCH", "SIGXCPU", "SIGXFSZ", "SIGRTMIN", *(f"SIGRTMIN+{n}" for n in range(1, 16)),
    *(f"SIGRTMAX-{n}" for n in range(14, 0, -1)), "SIGRTMAX",
)  # fmt: skip
# The kernel's range for programs on glibc, which reserves two signals for itself.
RTMIN, RTMAX = 34, 64


def stop_signal(cri_number: int, image_signal: str) -> int:
    """The stop signal: the request's, the image's, or SIGTERM. Raises InvalidArgument."""
    if not 0 <= cri_number < len(CRI_NAMES):
        raise InvalidArgument(f"stop_signal {cri_number} is not one of CRI's signals")
    return number_of(CRI_NAMES[cri_number] or image_signal or "SIGTERM")


def cri_number_of(number: int) -> int:
    """CRI's number of a kernel signal. 0 (the runtime's default) for one without a CRI number."""
    for index, name in enumerate(CRI_NAMES):
        if name and number_of(name) == number:
            return index
    return 0


def number_of(name: str) -> int:
    """The kernel's number for "SIGTERM", "TERM", "15", "SIGRTMIN+3" and similar names. Raises InvalidArgument."""
    text = name.strip().upper().removeprefix("SIG")
    if not text.isascii():
        raise InvalidArgument(f"unknown stop signal {name!r}")
    if text.isdecimal() and 1 <= int(text) <= RTMAX:
        return int(text)
    for base, number, sign in (("RTMIN", RTMIN, "+"), ("RTMAX", RTMAX, "-")):
        if text == base:
            return number
        offset = text.removeprefix(base + sign)
        if offset != text and offset.isdecimal() and RTMIN <= number + int(sign + offset) <= RTMAX:
            return number + int(sign + offset)
    try:
        return int(signal.Signals["SIG" + {"CLD": "CHLD", "POLL": "IO", "IOT": "ABRT"}.get(text, text)])
    except KeyError as unknown:
        raise InvalidArgument(f"unknown stop signal {name!r}") from unknown
