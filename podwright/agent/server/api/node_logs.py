"""`/logs/`: a file server over the node's logs, and (enableSystemLogQuery) queries of services' logs."""

from __future__ import annotations

import asyncio
import html
import mimetypes
import os
import re
from urllib.parse import quote

from podwright.agent.server.api.errors import plain
from podwright.agent.server.api.node_files import Opened, list_names, open_below, read_parts
from podwright.agent.server.api.node_query import NodeLogQuery, node_log_query
from podwright.agent.server.http.dates import http_date
from podwright.agent.server.http.messages import PLAIN, Answer, HttpRequest, HttpResponse, text
from podwright.errors import InvalidArgument, PodwrightError

HTML = "text/html; charset=utf-8"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class NodeLogPaths:
    """The handlers."""

    def __init__(self, root: str, query: NodeLogQuery | None) -> None:
        """`root` is the directory of the node's logs. Without `query`, parameters change nothing."""
        self._root = root
        self._query = query

    async def get(self, request: HttpRequest) -> Answer:
        """GET /logs/ and /logs/PATH."""
        path = request.places.get("rest", "")
        if self._query is not None:
            try:
                wanted = node_log_query(request.query)
            except InvalidArgument as failure:
                return plain(failure.message, 400)
            if wanted.services:
                try:
                    return text(await self._query.run(wanted))
                except PodwrightError as failure:
                    return plain(str(failure), 500)
            path = wanted.file or path
        return await self._file(request, path)

    async def _file(self, request: HttpRequest, path: str) -> Answer:
        if "\0" in path:
            return text("404 page not found\n", 404)
        try:
            opened = await asyncio.to_thread(open_below, self._root, path)
        except (FileNotFoundError, NotADirectoryError):
            return text("404 page not found\n", 404)
        except OSError:
            return text("403 Forbidden\n", 403)
        if opened.is_directory:
            return _directory(request, opened)
        return _regular(request, path, opened)


def _directory(request: HttpRequest, opened: Opened) -> Answer:
    try:
        if not request.path.endswith("/"):
            name = quote(request.path.rstrip("/").rpartition("/")[2])
            return HttpResponse(status=301, headers=(("location", f"{name}/"),))
        names = list_names(opened.descriptor)
    finally:
        os.close(opened.descriptor)
    lines = [f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names]
    page = f'<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{"".join(lines)}</pre>\n'
    return HttpResponse(body=page.encode(), content_type=HTML, headers=_modified(opened))


def _regular(request: HttpRequest, path: str, opened: Opened) -> Answer:
    guessed, encoding = mimetypes.guess_type(path, strict=True)
    kind = "application/gzip" if encoding == "gzip" else (guessed or PLAIN)
    size = opened.size_bytes
    wanted = _range(request.header("range"), size)
    if wanted is None:
        os.close(opened.descriptor)
        return HttpResponse(status=416, headers=(("content-range", f"bytes */{size}"),))
    begin, count = wanted
    headers = (*_modified(opened), ("accept-ranges", "bytes"))
    status = 200
    if request.header("range") and (begin, count) != (0, size):
        status, headers = 206, (*headers, ("content-range", f"bytes {begin}-{begin + count - 1}/{size}"))
    body = read_parts(opened.descriptor, begin, count)
    return HttpResponse(status=status, body=body, content_type=kind, headers=headers)


def _modified(opened: Opened) -> tuple[tuple[str, str], ...]:
    return (("last-modified", http_date(opened.changed_s)),)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """(begin, count) of a Range header with one range, all for others. None when the range lies outside."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return 0, size
    if not match[1]:
        count = min(int(match[2]), size)
        return (size - count, count) if count else None
    begin = int(match[1])
    end = min(int(match[2]), size - 1) if match[2] else size - 1
    return (begin, end - begin + 1) if begin <= end else None
