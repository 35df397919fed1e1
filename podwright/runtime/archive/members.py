"""The members of an archive: its files, each stored under a name of ours with its digest, and its links.

A confined program splits the archive (see `intake`) while it arrives. Names from the archive are only looked up in
this table. They never reach the filesystem.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import posixpath
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec

from podwright.errors import FailedPrecondition, Internal, PodwrightError, ResourceExhausted
from podwright.linux.files import remove_file
from podwright.process import Command, ProcessRunner
from podwright.process.descriptors import FdWriter
from podwright.runtime.storage.unpacking import library_directories

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "intake", "__main__.py")
TIMEOUT_S = 4 * 3600.0  # a last resort: the loss of the client ends it much earlier
REPORT_LIMIT_BYTES = 64 << 20
DOCUMENT_LIMIT_BYTES = 8 << 20
LINK_LIMIT = 8
SHOWN_CHARACTERS = 200


class ArchiveMember(msgspec.Struct, frozen=True, kw_only=True):
    """A file (`file`, `size`, `digest`) or a link (`link`, `target`) of the archive."""

    name: str
    file: str = ""
    size: int = 0
    digest: str = ""
    link: str = ""
    target: str = ""


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    members: tuple[ArchiveMember, ...]


class _IntakeFailure(msgspec.Struct, frozen=True):
    kind: str
    message: str


class Members:
    """The members of an archive by name. Of two members with one name the last counts, as with tar."""

    def __init__(self, folder: str, members: Sequence[ArchiveMember]) -> None:
        self._folder = folder
        self._members = {member.name: member for member in members}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[ArchiveMember]:
        return iter(self._members.values())

    def path(self, member: ArchiveMember) -> str:
        """The current path of its content."""
        return f"{self._folder}/{member.file}"

    def find(self, name: str) -> ArchiveMember:
        """The file with that name, after links. Raises FailedPrecondition."""
        asked = name
        for _ in range(LINK_LIMIT):
            member = self._members.get(posixpath.normpath(name))
            if member is None:
                raise FailedPrecondition(f"the archive lacks {shown(asked)}")
            if not member.link:
                return member
            start = posixpath.dirname(member.name) if member.link == "symlink" else ""
            name = posixpath.join(start, member.target)
        raise FailedPrecondition(f"the archive's {shown(asked)} is a dangling link")

    def read(self, name: str) -> bytes:
        """A small file as a whole. Raises FailedPrecondition."""
        member = self.find(name)
        if member.size > DOCUMENT_LIMIT_BYTES:
            raise FailedPrecondition(
                f"the archive's {shown(name)} has {member.size} bytes, which is too large for such a file"
            )
        with open(self.path(member), "rb") as file:
            return file.read()

    def magic(self, member: ArchiveMember) -> bytes:
        """The first bytes of a file."""
        with open(self.path(member), "rb") as file:
            return file.read(4)


def shown(name: str) -> str:
    """A name from an archive for a message: printable and shortened."""
    return repr(name[:SHOWN_CHARACTERS])


@contextlib.asynccontextmanager
async def taken_apart(
    runner: ProcessRunner, folder: str, chunks: AsyncIterator[bytes], max_bytes: int
) -> AsyncIterator[Members]:
    """The members of the archive in `chunks`. Their files are in `folder` until the end of the block.

    Raises FailedPrecondition (damaged, hostile, not an archive), ResourceExhausted, Internal, and what `chunks`
    raises.
    """
    prefix = f"load-{secrets.token_hex(8)}"
    try:
        yield Members(folder, await _members(runner, folder, prefix, chunks, max_bytes))
    finally:
        for path in glob.glob(f"{folder}/{prefix}-*"):
            remove_file(path)


async def _members(
    runner: ProcessRunner, folder: str, prefix: str, chunks: AsyncIterator[bytes], max_bytes: int
) -> Sequence[ArchiveMember]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reader)
        feeding = asyncio.create_task(_feed(FdWriter(writer), chunks), name="feed an archive")
        command = Command(
            argv=(sys.executable, "-I", "-S", PROGRAM, folder, prefix, str(max_bytes), *library_directories()),
            fds={0: reader},
            timeout_s=TIMEOUT_S,
            output_limit_bytes=REPORT_LIMIT_BYTES,
        )
        taking = asyncio.create_task(runner.run(command), name="take an archive apart")
        try:
            done, _ = await asyncio.wait({feeding, taking}, return_when=asyncio.FIRST_COMPLETED)
            if taking not in done:  # otherwise the program has already found the archive invalid
                await feeding
            completed = await taking
        finally:
            for task in (feeding, taking):
                task.cancel()
            await asyncio.wait({feeding, taking})
    if completed.returncode:
        raise Internal(f"the intake program ended with {completed.shell_code}: {completed.error_text()}")
    try:
        return msgspec.json.decode(completed.stdout, type=_Report).members
    except msgspec.ValidationError:
        raise _error(completed.stdout) from None
    except msgspec.DecodeError as failure:
        raise Internal(f"the intake program gave an invalid report: {completed.error_text()}") from failure


async def _feed(writer: FdWriter, chunks: AsyncIterator[bytes]) -> None:
    try:
        async for chunk in chunks:
            await writer.write(chunk)
    finally:
        writer.close()


def _error(output: bytes) -> PodwrightError:
    failure = msgspec.json.decode(output, type=_IntakeFailure)
    if failure.kind == "space":
        return ResourceExhausted("the disk is full", hint="remove images, or free disk space under the daemon's root")
    if failure.kind == "io":
        return Internal(f"cannot read the archive: {failure.message}")
    return FailedPrecondition(f"not a usable image archive: {failure.message}")
