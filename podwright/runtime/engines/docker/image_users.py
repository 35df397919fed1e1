"""The user of a container that has not started yet, by the files of its image, which the Engine hands out as a tar.

The Engine looks for names only when it starts the container. CRI's clients get an error for a wrong one before.
"""

from __future__ import annotations

import contextlib
import io
import tarfile

from podwright.errors import InvalidArgument, NotFound
from podwright.runtime.container.filesystem.root import PASSWD_LIMIT_BYTES
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.model.base import id_of_text
from podwright.runtime.model.container import Container, ContainerSecurity, User
from podwright.runtime.model.image import Image
from podwright.runtime.oci_spec import user


async def resolve(host: EngineHost, container: Container, image: Image) -> User:
    """The user. Numbers are taken as they are: the groups that the image has for them are known after the start.

    Raises InvalidArgument for a name that the image does not know, and as EngineHost does.
    """
    security = container.config.security
    if not has_names(security, image.config.user):
        return user.resolve(security, image.config.user, "", "")
    files = [await _file(host, container.id, path) for path in ("/etc/passwd", "/etc/group")]
    return user.resolve(security, image.config.user, *files)


def has_names(security: ContainerSecurity, image_user: str) -> bool:
    """Whether the user or its group is named. Pure."""
    if security.run_as_username:
        return True
    if security.run_as_user is not None:
        return False
    return any(part and id_of_text(part) is None for part in image_user.split(":"))


async def _file(host: EngineHost, name: str, path: str) -> str:
    """The text of a file in a container. Empty if there is none, or if it is too large to be what it should be."""
    content = b""
    with contextlib.suppress(NotFound):
        async for piece in host.client.content(f"/containers/{name}/archive?path={path}", f"read {path}"):
            content += piece
            if len(content) > PASSWD_LIMIT_BYTES:
                return ""
    return text_of(content)


def text_of(archive: bytes) -> str:
    """The text of the first file in a tar. Raises InvalidArgument for what is no tar. Pure."""
    if not archive:
        return ""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            member = opened.next()
            file = opened.extractfile(member) if member is not None and member.isfile() else None
            return file.read().decode("utf-8", "surrogateescape") if file is not None else ""
    except tarfile.TarError as failure:
        raise InvalidArgument(f"the image's users cannot be read: {failure}") from failure
