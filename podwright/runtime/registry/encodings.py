"""Content that was compressed in transit (RFC 9110, 8.4). Pure.

We do not request compression, but some CDNs and proxies compress anyway. Digests are digests of the content. This
module does not handle layers: they are compressed themselves, and some stores declare that in the same header.
"""

from __future__ import annotations

import zlib

GZIP = ("gzip", "x-gzip")
MAGIC = b"\x1f\x8b"
ZLIB_GZIP = 16 + zlib.MAX_WBITS


def decoded(data: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The content of a body with this Content-Encoding. For encodings other than gzip, the body itself.

    Raises ValueError for a body that is damaged or longer than `limit_bytes`.
    """
    if encoding.strip().lower() not in GZIP or not data.startswith(MAGIC):
        return data
    stream = zlib.decompressobj(ZLIB_GZIP)
    try:
        content = stream.decompress(data, limit_bytes + 1)
    except zlib.error as failure:
        raise ValueError(f"a damaged gzip body: {failure}") from failure
    if len(content) > limit_bytes:
        raise ValueError(f"more than {limit_bytes} bytes")
    if not stream.eof:
        raise ValueError("a truncated gzip body")
    return content
