"""The configured handlers, by CRI's handler name: found, probed, and looked up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.linux.cgroup import CgroupHost
from podwright.process import ProcessRunner
from podwright.runtime.config import Config
from podwright.runtime.handlers import plugin
from podwright.runtime.handlers.oci.kind import OciKind
from podwright.runtime.handlers.protocol import Handler, HandlerKind
from podwright.runtime.handlers.shim.kind import ShimKind
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

# By `type` in [handlers.NAME]. The first one finds runtimes without any configuration.
KINDS: dict[str, Callable[[Config, ProcessRunner, CgroupHost], HandlerKind]] = {
    "oci": OciKind,
    "shim": ShimKind,
}
FOREIGN_STEP_S = 30.0  # for a step of another package's code at start and end
PATIENCE_S = 2.0  # with programs that are asked what they can do; later answers are taken when they come


class Handlers:
    """All handlers of the daemon."""

    def __init__(
        self,
        kinds: Sequence[HandlerKind],
        default: str,
        *,
        foreign: Sequence[HandlerKind] = (),
        broken: Mapping[str, str] | None = None,
    ) -> None:
        """`default` is the handler for an empty name. Empty: the first handler of the first kind that has any.

        `foreign` are kinds of other packages, whose failures concern their own pods alone. `broken` are handlers of
        theirs that cannot be used, and why. Raises FailedPrecondition if there is no handler of the default's name,
        or if one of ours is broken that the default is, or might be.
        """
        self._foreign = tuple(foreign)
        self._kinds = (*kinds, *foreign)
        self._handlers = {name: handler for kind in self._kinds for name, handler in kind.handlers.items()}
        self._named = default
        self._broken = dict(broken or {})
        self._foreign_names = {*self._broken, *(name for kind in foreign for name in (*kind.handlers, *kind.broken))}
        for kind in self._kinds:
            for name, reason in kind.broken.items():
                if not self._costs_only_its_pods(name):
                    raise FailedPrecondition(reason)
                self._note_broken(name, reason)
        if default and default not in self._handlers and default not in self._broken:
            raise FailedPrecondition(f"default_handler {default!r} is not among the handlers {sorted(self._handlers)}")
        self.default = default or next(iter(self._handlers), "")
        self._probing = Tasks()

    def _costs_only_its_pods(self, name: str) -> bool:
        """Whether a failure of this handler concerns nobody else: it is another package's, or not the default.

        Without a `default_handler` in the configuration, the default is the first one that there is. So all must be.
        """
        return self.is_foreign(name) or self._named not in ("", name)

    def is_foreign(self, name: str) -> bool:
        """Whether the handler of that name is another package's, which may raise anything."""
        return name in self._foreign_names

    def _note_broken(self, name: str, reason: str) -> None:
        self._broken[name] = reason
        log.error("a handler cannot be used: handler=%s reason=%s", name, reason)

    async def probe(self) -> None:
        """Find out what the handlers can do. Raises FailedPrecondition if the default's program cannot be executed.

        A slow program delays nobody: its handler is used as one that can do little, until it has answered.
        """
        probes = {
            name: self._probing.job(handler.probe(), name=f"probe handler {name}")
            for name, handler in self._handlers.items()
        }
        if not probes:
            return
        done, late = await asyncio.wait(probes.values(), timeout=PATIENCE_S)
        for name, task in probes.items():
            if task in done:
                self._judge(name, task)
        for task in late:
            task.add_done_callback(_log_failure)
        if late:
            names = ", ".join(sorted(name for name, task in probes.items() if task in late))
            log.warning("programs do not report their features in time, using them without: handlers=%s", names)

    def _judge(self, name: str, probed: asyncio.Task[None]) -> None:
        """Raise the failure of a probe, unless it costs only the pods of its handler: then that one is broken."""
        if not self._costs_only_its_pods(name):
            probed.result()
        elif (failure := probed.exception()) is not None:
            self._note_broken(name, str(failure) or type(failure).__name__)

    async def end_abandoned(self) -> None:
        """At start: see HandlerKind."""
        for kind in self._kinds:
            await self._have(kind, kind.end_abandoned())

    async def sweep(self, known: Collection[str]) -> None:
        """At start, after recovery: see HandlerKind."""
        for kind in self._kinds:
            await self._have(kind, kind.sweep(known))

    async def close(self) -> None:
        """Stop probing, and let the kinds go."""
        await self._probing.close()
        for kind in self._kinds:
            await self._have(kind, kind.close())

    async def _have(self, kind: HandlerKind, step: Awaitable[None]) -> None:
        """Await a step of a kind. That of another package may fail, and has only so much time."""
        if kind not in self._foreign:
            await step
            return
        try:
            async with asyncio.timeout(FOREIGN_STEP_S):
                await step
        except Exception as failure:
            log.exception("a step of another package's handlers failed")
            self._broken.update(dict.fromkeys(kind.handlers, f"its package fails: {failure!r}"))

    def get(self, name: str) -> Handler:
        """The handler of that name, the default for "". Raises InvalidArgument and FailedPrecondition."""
        if (reason := self._broken.get(name or self.default)) is not None:
            raise FailedPrecondition(f"runtime handler {name or self.default!r} cannot be used: {reason}")
        if not self._handlers:
            raise FailedPrecondition("there is no OCI runtime on this host", hint="install crun or runc")
        handler = self._handlers.get(name or self.default)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise InvalidArgument(f"runtime handler {name!r} is not configured", hint=f"known handlers: {known}")
        return handler

    def of_record(self, name: str) -> Handler:
        """For taking down what the handler of that name made, also when it is no longer configured."""
        if (handler := self._handlers.get(name)) is not None:
            return handler
        found = (kind.of_record(name) for kind in reversed(self._kinds))
        return next(handler for handler in found if handler is not None)  # the first kind takes what no other knows

    def all(self) -> list[Handler]:
        """The configured handlers that can be used, by name."""
        return [self._handlers[name] for name in sorted(self._handlers) if name not in self._broken]


async def find_handlers(config: Config, runner: ProcessRunner, cgroups: CgroupHost) -> Handlers:
    """The handlers of `config`. Raises FailedPrecondition if the default's program is missing, or cannot be run."""
    foreign, broken = plugin.load(config, runner, cgroups)
    kinds = [make(config, runner, cgroups) for make in KINDS.values()]
    handlers = Handlers(kinds, config.default_handler, foreign=foreign, broken=broken)
    await handlers.probe()
    return handlers


def _log_failure(probed: asyncio.Task[None]) -> None:
    if not probed.cancelled() and (failure := probed.exception()) is not None:
        level = logging.WARNING if isinstance(failure, PodwrightError) else logging.ERROR
        log.log(level, "cannot query a handler's programs: handler=%s error=%s", probed.get_name(), failure)
