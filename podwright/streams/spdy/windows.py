"""Flow control of streams: how much the peer accepts on each, and how much we announce.

Windows are used with a peer that announces them by SETTINGS, as our own two sides do if streams have different
readers. The standard (SPDY draft 3, section 2.6.8) gives every stream 64 KiB even without that. But Kubernetes' peers
in Go never send a WINDOW_UPDATE, so we would wait forever. They only know the connection's own flow control, and
drop our frames. The window of the whole connection, which SPDY/3.1 added, is not implemented.
"""

from __future__ import annotations

import struct

import msgspec

from podwright.streams.spdy import frames
from podwright.streams.spdy.errors import SpdyError
from podwright.streams.spdy.frames import FRAME_LIMIT_BYTES, FrameType

INITIAL_WINDOW_SIZE = 7  # the id of the setting
_ID_MASK = (1 << 24) - 1  # above it are flags
_COUNT = struct.Struct(">I")
_SETTING = struct.Struct(">II")


class Window(msgspec.Struct):
    """Both directions of one stream."""

    sent_bytes: int = 0
    granted_bytes: int = 0  # granted by the peer, besides its initial window
    ungranted_bytes: int = 0  # consumed here, and not yet granted to the peer


class Windows:
    """The windows that both sides have announced."""

    def __init__(self, size_bytes: int) -> None:
        """`size_bytes` is what a peer may send on a stream beyond what our reader has consumed. 0: no limit."""
        self._size_bytes = size_bytes
        self._peer_size_bytes: int | None = None

    def announcement(self) -> bytes:
        """SETTINGS to send first. No bytes without windows."""
        if not self._size_bytes:
            return b""
        setting = _SETTING.pack(INITIAL_WINDOW_SIZE, self._size_bytes)
        return frames.control_frame(FrameType.SETTINGS, _COUNT.pack(1) + setting)

    def on_settings(self, payload: bytes) -> None:
        """A new initial window also applies to open streams. Raises SpdyError."""
        (count,), rest = frames.split_ids(payload, 1)
        if len(rest) != count * _SETTING.size:
            raise SpdyError(f"SPDY SETTINGS of {len(rest)} bytes do not hold {count}")
        for number, value in _SETTING.iter_unpack(rest):
            if number & _ID_MASK == INITIAL_WINDOW_SIZE:
                self._peer_size_bytes = value

    def sendable_bytes(self, window: Window) -> int:
        """What the peer accepts now, in one frame."""
        if self._peer_size_bytes is None:
            return FRAME_LIMIT_BYTES
        return max(0, min(self._peer_size_bytes + window.granted_bytes - window.sent_bytes, FRAME_LIMIT_BYTES))

    def grant(self, stream_id: int, window: Window, taken_bytes: int) -> bytes:
        """WINDOW_UPDATE after the reader has consumed half a window. No bytes before."""
        window.ungranted_bytes += taken_bytes
        if not self._size_bytes or window.ungranted_bytes < self._size_bytes // 2:
            return b""
        granted_bytes, window.ungranted_bytes = window.ungranted_bytes, 0
        return frames.control_frame(FrameType.WINDOW_UPDATE, _SETTING.pack(stream_id, granted_bytes))
