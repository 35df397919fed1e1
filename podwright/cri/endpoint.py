"""The address of a CRI server: parses `unix:///path`, and chooses the default like crictl."""

from __future__ import annotations

import os
from collections.abc import Mapping

from podwright.errors import InvalidArgument

DEFAULT_ENDPOINT = "unix:///run/podwright/podwright.sock"
ENDPOINT_VARIABLE = "CONTAINER_RUNTIME_ENDPOINT"
UNIX_PATH_MAX = 107  # sun_path is 108 bytes with its NUL (unix(7))


def choose_endpoint(flag: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The chosen endpoint: the flag, then the environment, then our own daemon's default."""
    return normalise(flag or environ.get(ENDPOINT_VARIABLE) or DEFAULT_ENDPOINT)


def normalise(endpoint: str) -> str:
    """`unix:///path` for `unix:///path`, `unix:/path` and `/path`.

    Raises InvalidArgument for other schemes, relative paths and paths that do not fit a socket address.
    """
    path = endpoint.removeprefix("unix://") if endpoint.startswith("unix://") else endpoint.removeprefix("unix:")
    if "://" in path or not path.startswith("/"):
        raise InvalidArgument(f"endpoint {endpoint!r} is not a unix socket", hint="use unix:///path/to/socket")
    if len(os.fsencode(path)) > UNIX_PATH_MAX:
        raise InvalidArgument(f"endpoint {endpoint!r} is longer than {UNIX_PATH_MAX} bytes")
    return f"unix://{path}"


def socket_path(endpoint: str) -> str:
    """The filesystem path of an endpoint."""
    return normalise(endpoint).removeprefix("unix://")
