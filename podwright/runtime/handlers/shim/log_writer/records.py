"""Output as records of CRI's log format. Pure."""

from __future__ import annotations

import time

LINE_LIMIT_BYTES = 16384  # as containerd: longer lines are parts


def records(stream: str, data: bytes, now_ns: int) -> bytes:
    """Output of one stream as records of the log, with nothing held back: what has no newline yet is a part."""
    seconds, fraction = divmod(now_ns, 10**9)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()
    prefix = b"%s.%09dZ %s " % (at, fraction, stream.encode())
    full, part = prefix + b"F ", prefix + b"P "
    *lines, rest = data.split(b"\n")
    if max(map(len, lines), default=0) <= LINE_LIMIT_BYTES:  # as a rule
        whole = full + (b"\n" + full).join(lines) + b"\n" if lines else b""
    else:
        whole = b"".join(piece for line in lines for piece in _pieces(line, full, part))
    return whole + b"".join(_pieces(rest, part, part)) if rest else whole


def _pieces(line: bytes, last: bytes, part: bytes) -> list[bytes]:
    """A line as records, of which all except the last are partial."""
    if len(line) <= LINE_LIMIT_BYTES:
        return [last + line + b"\n"]
    cuts = range(0, len(line), LINE_LIMIT_BYTES)
    pieces = [line[at : at + LINE_LIMIT_BYTES] for at in cuts]
    return [part + piece + b"\n" for piece in pieces[:-1]] + [last + pieces[-1] + b"\n"]
