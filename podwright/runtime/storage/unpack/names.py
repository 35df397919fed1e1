"""Names in an archive: made relative to the layer's root, or rejected. Pure."""

from __future__ import annotations

from podwright.runtime.storage.unpack.failure import UnpackError, shown

PATH_LIMIT_BYTES = 4095  # PATH_MAX without its NUL
NAME_LIMIT_BYTES = 255  # NAME_MAX


def relative(name: bytes) -> bytes:
    """`name` without leading slashes, `.` and empty parts. Empty for the root itself. Raises UnpackError.

    `..` is rejected even where it would stay inside, because only attackers write it.
    """
    if b"\0" in name:
        raise UnpackError("bad", f"an entry's name contains a NUL byte: {shown(name)}")
    if len(name) > PATH_LIMIT_BYTES:
        raise UnpackError("bad", f"an entry's name is longer than {PATH_LIMIT_BYTES} bytes: {shown(name)}")
    if name.startswith(b"./"):
        name = name[2:]
    if name.endswith(b"/"):
        name = name.rstrip(b"/")
    if b"/." in name or b"//" in name or name[:1] in (b"/", b"."):
        name = b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))
        if b".." in name and b".." in name.split(b"/"):
            raise UnpackError("bad", f"an entry's name leads out of the layer: {shown(name)}")
    if len(name) > NAME_LIMIT_BYTES and max(map(len, name.split(b"/"))) > NAME_LIMIT_BYTES:
        raise UnpackError("bad", f"an entry's name has a part longer than {NAME_LIMIT_BYTES} bytes: {shown(name)}")
    return name
