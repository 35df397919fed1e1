"""Node log queries: the journal of services (`kubectl get --raw .../logs/?query=kubelet`, KEP 2258).

Source of the rules: pkg/kubelet/kubelet_server_journal.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from podwright.crilog.times import parse_time
from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound
from podwright.process import Command, ProcessRunner

TAIL_LIMIT = 100_000
SERVICES_LIMIT, NAME_LIMIT = 4, 256
TIMEOUT_S = 30.0
OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
_UNSAFE = re.compile(r"[^a-zA-Z\-_0-9@.]+")


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for a file, or for lines of services. Times are RFC 3339."""

    file: str = ""
    services: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    tail_lines: int | None = None
    boot: int | None = None
    pattern: str = ""


def node_log_query(query: Mapping[str, list[str]]) -> LogQuery:
    """Parse the parameters. Raises InvalidArgument that names the parameter."""
    asked = query.get("query", [])
    files = [each for each in asked if "/" in each or "\\" in each]
    services = tuple(each for each in asked if each.strip() and each not in files)
    if asked and not files and not services:
        raise InvalidArgument("query: Invalid value: it cannot be empty")
    wanted = LogQuery(
        file=files[0].replace("\\", "/") if files else "",
        services=services,
        since=_time(query, "sinceTime"),
        until=_time(query, "untilTime"),
        tail_lines=_number(query, "tailLines"),
        boot=_number(query, "boot"),
        pattern=query.get("pattern", [""])[0],
    )
    _check(wanted, files)
    return wanted


def _check(wanted: LogQuery, files: list[str]) -> None:
    if files and wanted.services:
        raise InvalidArgument("query: Invalid value: cannot specify a file and service")
    if len(files) > 1:
        raise InvalidArgument("query: Invalid value: cannot specify more than one file")
    if files and (wanted.since or wanted.until or wanted.pattern or wanted.tail_lines is not None):
        raise InvalidArgument("query: Invalid value: cannot specify file with options")
    if len(wanted.services) > SERVICES_LIMIT:
        raise InvalidArgument(f"query: Too many: must have at most {SERVICES_LIMIT} items")
    for service in wanted.services:
        if len(service) > NAME_LIMIT or _UNSAFE.search(service) or service.startswith("-"):
            raise InvalidArgument("query: Invalid value: input contains unsupported characters")
    if wanted.since and wanted.until and (parse_time(wanted.since) or 0) > (parse_time(wanted.until) or 0):
        raise InvalidArgument("untilTime: Invalid value: must be after `sinceTime`")
    if wanted.boot is not None and wanted.boot > 0:
        raise InvalidArgument("boot: Invalid value: must be less than 1")
    if wanted.tail_lines is not None and not 0 <= wanted.tail_lines <= TAIL_LIMIT:
        raise InvalidArgument(f"tailLines: Invalid value: must be between 0 and {TAIL_LIMIT}, inclusive")


def _time(query: Mapping[str, list[str]], name: str) -> str:
    given = query.get(name, [""])[0]
    if given and parse_time(given) is None:
        raise InvalidArgument(f"{name}: Invalid value: invalid time format")
    return given


def _number(query: Mapping[str, list[str]], name: str) -> int | None:
    given = query.get(name, [""])[0]
    if not given:
        return None
    digits = given.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise InvalidArgument(f"{name}: Invalid value: it is not a number")
    return int(given)


def journal_arguments(wanted: LogQuery) -> tuple[str, ...]:
    """The arguments of journalctl(1)."""
    arguments = ["journalctl", "--utc", "--no-pager", "--output=short-precise"]
    if wanted.since:
        arguments.append(f"--since=@{(parse_time(wanted.since) or 0) / 1e9:.6f}")
    if wanted.until:
        arguments.append(f"--until=@{(parse_time(wanted.until) or 0) / 1e9:.6f}")
    if wanted.tail_lines is not None:
        arguments += ["--pager-end", f"--lines={wanted.tail_lines}"]
    arguments += [f"--unit={service}" for service in wanted.services]
    if wanted.pattern:
        arguments += [f"--grep={wanted.pattern}", "--case-sensitive=false"]
    if wanted.boot is not None:
        arguments += ["--boot", str(wanted.boot)]
    return tuple(arguments)


class NodeLogQuery:
    """Runs queries by journalctl."""

    def __init__(self, runner: ProcessRunner) -> None:
        self._runner = runner

    async def run(self, wanted: LogQuery) -> str:
        """The lines. Raises NotFound without journalctl, and FailedPrecondition with journalctl's message."""
        command = Command(argv=journal_arguments(wanted), timeout_s=TIMEOUT_S, output_limit_bytes=OUTPUT_LIMIT_BYTES)
        try:
            done = await self._runner.run(command)
        except DeadlineExceeded as failure:
            raise FailedPrecondition(
                f"the journal did not answer in {TIMEOUT_S:g} s", hint="ask for fewer lines"
            ) from failure
        except FailedPrecondition as failure:
            raise NotFound("this node has no journalctl", hint="ask for a file, such as ?query=/syslog") from failure
        if done.returncode:
            raise FailedPrecondition(f"journalctl failed: {done.error_text()}")
        return done.stdout.decode(errors="replace")
