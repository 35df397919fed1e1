"""The versions of the remote command protocol, their features, and the names of its streams.

v1 is for compatibility only: the server closes stdin at once. v2 has a working half-close, v3 resizes the terminal,
v4 reports the exit code as JSON, v5 (WebSocket only) can close stdin on a WebSocket.
"""

from __future__ import annotations

import enum


class Version(enum.IntEnum):
    """A version of the protocol."""

    V1 = 1
    V2 = 2
    V3 = 3
    V4 = 4
    V5 = 5

    @property
    def has_resize(self) -> bool:
        """Whether there is a stream for terminal sizes."""
        return self >= Version.V3

    @property
    def has_json_status(self) -> bool:
        """Whether the error stream always reports the outcome as JSON."""
        return self >= Version.V4


class StreamType(enum.StrEnum):
    """The streams, with their names in SPDY's `streamtype` header."""

    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"
    ERROR = "error"
    RESIZE = "resize"


STREAM_TYPE_HEADER = "streamtype"

# In order of a client's preference.
SPDY_PROTOCOLS: dict[str, Version] = {
    "v4.channel.k8s.io": Version.V4,
    "v3.channel.k8s.io": Version.V3,
    "v2.channel.k8s.io": Version.V2,
    "channel.k8s.io": Version.V1,
}
WEBSOCKET_PROTOCOLS: dict[str, Version] = {"v5.channel.k8s.io": Version.V5, **SPDY_PROTOCOLS}

# Channel numbers on a WebSocket.
CHANNELS: dict[StreamType, int] = {
    StreamType.STDIN: 0,
    StreamType.STDOUT: 1,
    StreamType.STDERR: 2,
    StreamType.ERROR: 3,
    StreamType.RESIZE: 4,
}
STREAM_TYPES: dict[int, StreamType] = {channel: stream_type for stream_type, channel in CHANNELS.items()}
