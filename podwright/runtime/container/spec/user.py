"""Who the container's processes are: CRI's and the image's wishes, resolved by the image's passwd and group files."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import check_ids
from podwright.runtime.model.container import ContainerSecurity, GroupsPolicy, User


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswdEntry:
    """A line of passwd(5), as far as it matters here."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """A line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]


def parse_passwd(text: str) -> list[PasswdEntry]:
    """The entries of a passwd file; lines that do not parse are left out, as libc does."""
    entries = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and fields[2].isdecimal() and fields[3].isdecimal():
            entries.append(PasswdEntry(name=fields[0], uid=int(fields[2]), gid=int(fields[3])))
    return entries


def parse_group(text: str) -> list[GroupEntry]:
    """The entries of a group file; lines that do not parse are left out."""
    entries = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and fields[2].isdecimal():
            members = tuple(name for name in fields[3].split(",") if name) if len(fields) > 3 else ()
            entries.append(GroupEntry(name=fields[0], gid=int(fields[2]), members=members))
    return entries


def resolve(security: ContainerSecurity, image_user: str, passwd: str, group: str) -> User:
    """The user as numbers.

    A name wins over a uid, and either over the image's `User`; nothing at all is root. A numeric uid takes its
    group from the passwd file, or 0. The primary group is always among `groups`; Merge adds the groups whose member
    lists hold the user's name, Strict does not. Raises InvalidArgument for names that the files do not have, and
    for a group without a user.
    """
    users, groups = parse_passwd(passwd), parse_group(group)
    if security.run_as_group is not None and security.run_as_user is None and not security.run_as_username:
        raise InvalidArgument("run_as_group is given without run_as_user or run_as_username")
    wanted = security.run_as_username or ("" if security.run_as_user is None else str(security.run_as_user))
    wanted_group = "" if security.run_as_group is None else str(security.run_as_group)
    if not wanted:
        wanted, _, wanted_group = image_user.partition(":")
    uid, gid, name = _user_of(wanted or "0", users)
    if wanted_group:
        gid = _group_of(wanted_group, groups)
    supplemental = {gid, *security.supplemental_groups}
    if security.groups_policy is GroupsPolicy.MERGE and name:
        supplemental.update(entry.gid for entry in groups if name in entry.members)
    check_ids("user", uid, *supplemental)
    return User(uid=uid, gid=gid, groups=tuple(sorted(supplemental)))


def _user_of(wanted: str, users: list[PasswdEntry]) -> tuple[int, int, str]:
    """(uid, gid, name) of a name or a number."""
    for entry in users:
        if entry.name == wanted or (wanted.isdecimal() and entry.uid == int(wanted)):
            return entry.uid, entry.gid, entry.name
    if wanted.lstrip("-").isdecimal():
        return int(wanted), 0, ""
    raise InvalidArgument(f"the image has no user {wanted!r}", hint="use a numeric id, or a name in its /etc/passwd")


def _group_of(wanted: str, groups: list[GroupEntry]) -> int:
    for entry in groups:
        if entry.name == wanted:
            return entry.gid
    if wanted.lstrip("-").isdecimal():
        return int(wanted)
    raise InvalidArgument(f"the image has no group {wanted!r}", hint="use a numeric id, or a name in its /etc/group")
