"""Finds the host's user ids for pods with user namespaces: those of the user `kubelet`, if it exists."""

from __future__ import annotations

import pwd

import msgspec

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner, find_executable

USER = "kubelet"
PROGRAM = "getsubids"
UNIT = 65536
ID_END = 1 << 32
TIMEOUT_S = 10.0


class IdRange(msgspec.Struct, frozen=True, kw_only=True):
    """A range of `count` ids from `first`, in pieces of `per_pod`."""

    first: int
    count: int
    per_pod: int = UNIT

    @property
    def pods(self) -> int:
        """The number of pods that it is enough for."""
        return self.count // self.per_pod


def default_range(per_pod: int = UNIT) -> IdRange:
    """All ids except the first piece, which has the host's own."""
    return IdRange(first=per_pod, count=ID_END - per_pod, per_pod=per_pod)


async def find_range(runner: ProcessRunner, per_pod: int = UNIT) -> IdRange:
    """The range of the user in /etc/subuid and /etc/subgid, or the default if the user or getsubids does not exist.

    Raises FailedPrecondition if the user does not have exactly one range, the same for users and groups.
    """
    if not (_user_exists() and _is_installed()):
        return default_range(per_pod)
    users, groups = [await _ask(runner, *options) for options in ((), ("-g",))]
    if users != groups:
        raise FailedPrecondition(
            f'mismatched subuids and subgids for user "{USER}"', hint="give it the same range in /etc/sub{u,g}id"
        )
    return parse_range(users, per_pod)


def parse_range(text: str, per_pod: int = UNIT) -> IdRange:
    """Parse a line such as `0: kubelet 65536 2147483648`. Raises FailedPrecondition."""
    lines = text.strip().split("\n")
    fields = lines[0].split()
    if len(lines) != 1 or len(fields) != 4 or not (fields[2].isdecimal() and fields[3].isdecimal()):
        raise FailedPrecondition(
            f'{PROGRAM} {USER}: "{text.strip()}" is not one range', hint="give the user one line in /etc/sub{u,g}id"
        )
    return IdRange(first=int(fields[2]), count=int(fields[3]), per_pod=per_pod)


def check_range(ids: IdRange, max_pods: int) -> None:
    """Raise FailedPrecondition for an unusable range."""
    faults = (
        (ids.per_pod % UNIT != 0, f"user namespace length {ids.per_pod} is not a multiple of {UNIT}"),
        (ids.first % ids.per_pod != 0, f"first id {ids.first} is not a multiple of {ids.per_pod}"),
        (ids.first < ids.per_pod, f"first id {ids.first} must be {ids.per_pod} or more: id 0 is the host's root"),
        (ids.count % ids.per_pod != 0, f"the number of ids {ids.count} is not a multiple of {ids.per_pod}"),
        (ids.first + ids.count > ID_END, f"ids {ids.first}+{ids.count} go beyond {ID_END}"),
        (ids.pods < max_pods, f"{ids.count} ids are not enough to support {max_pods} pods"),
    )
    for is_fault, message in faults:
        if is_fault:
            raise FailedPrecondition(f"user namespaces: {message}", hint=f"see /etc/subuid, user {USER}")


def _user_exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _is_installed() -> bool:
    try:
        find_executable(PROGRAM)
    except FailedPrecondition:
        return False
    return True


async def _ask(runner: ProcessRunner, *options: str) -> str:
    completed = await runner.run(Command(argv=(PROGRAM, *options, USER), timeout_s=TIMEOUT_S))
    if completed.returncode != 0:
        raise FailedPrecondition(
            f'error retrieving additional ids for user "{USER}": {completed.error_text()}', hint="see getsubids(1)"
        )
    return completed.stdout.decode(errors="replace")
