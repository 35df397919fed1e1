"""The log of the daemon and of the agent: one line per event on stderr, in one format."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

FORMAT = "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"
NOISY = ("asyncio", "grpc", "aiohttp.access")  # libraries whose warnings are enough


def set_up(level: int | str, request: Callable[[], str] = lambda: "-") -> None:
    """Log from `level` on. `request` gives the id of the request that is served, or `-` for none."""
    # What a record finds out for fields that FORMAT does not have.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RequestFilter(request))
    handler.setFormatter(_LineFormatter(FORMAT))
    logging.basicConfig(level=level.upper() if isinstance(level, str) else level, handlers=[handler], force=True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _LineFormatter(logging.Formatter):
    """Escapes what would break the line, or a terminal. Names of files and answers of programs may hold it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's name
        line = super().formatMessage(record)
        if line.isprintable():
            return line
        return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


class _RequestFilter(logging.Filter):
    """Puts the id of the request on every record."""

    def __init__(self, request: Callable[[], str]) -> None:
        super().__init__()
        self._request = request

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = self._request()
        return True
