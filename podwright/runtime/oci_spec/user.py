"""The user of the container's processes: from CRI and the image, resolved by the image's passwd and group files."""

from __future__ import annotations

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import check_ids, id_of_text
from podwright.runtime.model.container import ContainerSecurity, GroupsPolicy, User


class PasswdEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The relevant part of a line of passwd(5)."""

    name: str
    uid: int
    gid: int


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]


def parse_passwd(text: str) -> list[PasswdEntry]:
    """The entries of a passwd file. Invalid lines are skipped, as in libc."""
    entries = []
    for line in text.splitlines():
        fields = line.split(":")
        uid, gid = (id_of_text(field) for field in fields[2:4]) if len(fields) >= 4 else (None, None)
        if uid is not None and gid is not None:
            entries.append(PasswdEntry(name=fields[0], uid=uid, gid=gid))
    return entries


def parse_group(text: str) -> list[GroupEntry]:
    """The entries of a group file. Invalid lines are skipped."""
    entries = []
    for line in text.splitlines():
        fields = line.split(":")
        gid = id_of_text(fields[2]) if len(fields) >= 3 else None
        if gid is not None:
            members = tuple(name for name in fields[3].split(",") if name) if len(fields) > 3 else ()
            entries.append(GroupEntry(name=fields[0], gid=gid, members=members))
    return entries


def resolve(security: ContainerSecurity, image_user: str, passwd: str, group: str) -> User:
    """The user as numbers.

    A name overrides a uid, and both override the image's `User`. The default is root. A numeric uid takes its group
    from the passwd file, or 0. The primary group is always among `groups`. Merge adds the groups that list the user's
    name, Strict does not. Raises InvalidArgument for names that the files lack, and for a group without a user.
    """
    users, groups = parse_passwd(passwd), parse_group(group)
    if security.run_as_group is not None and security.run_as_user is None and not security.run_as_username:
        raise InvalidArgument("run_as_group is given without run_as_user or run_as_username")
    user, wanted_group = _wanted(security, image_user)
    uid, gid, name = _user_of(user, users)
    if wanted_group is not None:
        gid = wanted_group if isinstance(wanted_group, int) else _group_named(wanted_group, groups)
    supplemental = {gid, *security.supplemental_groups}
    if security.groups_policy is GroupsPolicy.MERGE and name:
        supplemental.update(entry.gid for entry in groups if name in entry.members)
    check_ids("user", uid, *supplemental)
    return User(uid=uid, gid=gid, groups=tuple(sorted(supplemental)))


def _wanted(security: ContainerSecurity, image_user: str) -> tuple[int | str, int | str | None]:
    """The requested user, and group if any, each as a number or a name."""
    if security.run_as_username:
        return _number_or_name(security.run_as_username), security.run_as_group
    if security.run_as_user is not None:
        return security.run_as_user, security.run_as_group
    user, _, group = image_user.partition(":")
    return _number_or_name(user or "0"), _number_or_name(group) if group else None


def _number_or_name(text: str) -> int | str:
    number = id_of_text(text)
    return text if number is None else number


def _user_of(wanted: int | str, users: list[PasswdEntry]) -> tuple[int, int, str]:
    """(uid, gid, name). A number need not be in the passwd file."""
    for entry in users:
        if wanted == (entry.uid if isinstance(wanted, int) else entry.name):
            return entry.uid, entry.gid, entry.name
    if isinstance(wanted, int):
        return wanted, 0, ""
    raise InvalidArgument(f"the image has no user {wanted!r}", hint="use a numeric id, or a name from its /etc/passwd")


def _group_named(wanted: str, groups: list[GroupEntry]) -> int:
    for entry in groups:
        if entry.name == wanted:
            return entry.gid
    raise InvalidArgument(f"the image has no group {wanted!r}", hint="use a numeric id, or a name from its /etc/group")
