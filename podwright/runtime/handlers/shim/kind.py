"""The handlers that are containerd shims: those of the configuration with `type = "shim"`."""

from __future__ import annotations

import os
from collections.abc import Collection

from podwright.errors import FailedPrecondition
from podwright.linux.cgroup import CgroupHost
from podwright.process import ProcessRunner, find_executable
from podwright.runtime.config import Config, ShimHandlerSettings
from podwright.runtime.handlers.protocol import Handler, PodPolicy
from podwright.runtime.handlers.shim import publish, runtimes
from podwright.runtime.handlers.shim.bootstrap import Launch
from podwright.runtime.handlers.shim.events import Events
from podwright.runtime.handlers.shim.handler import ShimHandler
from podwright.runtime.handlers.shim.launching import Launcher
from podwright.runtime.handlers.shim.logs import LogWriterProcess
from podwright.runtime.handlers.shim.member import ShimHost
from podwright.runtime.handlers.shim.options import ShimRuntimeOptions
from podwright.runtime.handlers.shim.pods import PodShims
from podwright.runtime.handlers.shim.runtimes import Runtime

ADDRESS_LIMIT_BYTES = 107  # sun_path, unix(7)


class ShimKind:
    """All handlers that are shims. What they keep is below `shims` in the daemon's state directory."""

    def __init__(self, config: Config, runner: ProcessRunner, cgroups: CgroupHost) -> None:
        """A handler whose shim is missing is broken. Raises FailedPrecondition and InvalidArgument."""
        self._config = config
        self._runner = runner
        self._cgroups = cgroups
        self._state = config.state
        self._events = Events()
        self._logs = LogWriterProcess(runner, config.state)
        self._pods: list[PodShims] = []
        wanted = {name: one for name, one in config.handlers.items() if isinstance(one, ShimHandlerSettings)}
        self._wanted = wanted
        self._former: dict[str, ShimHandler] = {}  # see `of_record`: each has the shims of its pods
        self._events_path = f"{config.state}/shims.ttrpc"
        if wanted and len(self._events_path.encode()) > ADDRESS_LIMIT_BYTES:
            raise FailedPrecondition(
                f"the path of the shims' events {self._events_path} is longer than a socket's may be",
                hint="choose a shorter `state` directory",
            )
        self._publisher = f"{config.root}/shim/publish"
        if wanted:
            os.makedirs(config.state, mode=0o711, exist_ok=True)
            publish.install(self._publisher)
        self.handlers: dict[str, Handler] = {}
        self.broken: dict[str, str] = {}
        for name, settings in wanted.items():
            try:
                self.handlers[name] = self._make(name, settings)
            except FailedPrecondition as missing:
                self.broken[name] = str(missing)

    def _make(self, name: str, settings: ShimHandlerSettings) -> ShimHandler:
        runtime = runtimes.runtime(name, settings)
        program = find_executable(runtime.program)
        if not os.access(program, os.X_OK) or os.path.isdir(program):
            raise FailedPrecondition(
                f"{program} is not a program", hint=f"install it, or correct [handlers.{name}] in the config"
            )
        return self._handler(settings, runtime, program)

    def _handler(self, settings: ShimHandlerSettings, runtime: Runtime, program: str) -> ShimHandler:
        config = self._config
        options = ShimRuntimeOptions(
            is_runc=runtime.is_runc,
            given=settings.options,
            root=f"{self._state}/runtimes/{runtime.name}",
            systemd_cgroup=config.containers.cgroup_driver == "systemd",
        )
        launch = Launch(
            binary=program,
            grpc_address=config.listen.removeprefix("unix://"),
            ttrpc_address=self._events_path,
            publisher=self._publisher,
            options=options.of(),
            debug=settings.debug,
            sched_core=settings.sched_core,
        )
        timeout_s = config.containers.runtime_timeout_s
        launcher = Launcher(launch, self._runner, timeout_s)
        pods = PodShims(launcher, self._logs, f"{self._state}/shims/{runtime.name}", timeout_s)
        self._pods.append(pods)
        host = ShimHost(
            name=runtime.name,
            cgroups=self._cgroups,
            pods=pods,
            launcher=launcher,
            logs=self._logs,
            events=self._events,
            options=options,
        )
        policy = PodPolicy(annotations=settings.allowed_annotations)
        return ShimHandler(host, runtime, self._runner, self._state, policy)

    def of_record(self, name: str) -> ShimHandler | None:
        """One that takes down what a handler of that name left, if it was a shim."""
        if name not in self._former:
            if not os.path.isdir(f"{self._state}/shims/{name}"):
                return None
            settings = self._wanted.get(name, ShimHandlerSettings())
            runtime = runtimes.runtime(name, settings)
            self._former[name] = self._handler(settings, runtime, runtime.program)
        return self._former[name]

    async def end_abandoned(self) -> None:
        """Serves events, and has log writers of other versions leave. Calls of shims end with their connections."""
        folder = f"{self._state}/shims"
        found = os.listdir(folder) if os.path.isdir(folder) else []
        if self._wanted or found:
            await self._events.listen(self._events_path)
            await self._logs.adopt()
        for name in found:
            if name not in self.handlers and (former := self.of_record(name)) is not None:
                await former.seal()  # its shims have the path of a copy that ended with the daemon before

    async def sweep(self, known: Collection[str]) -> None:  # noqa: ARG002 # shims know what they have
        for pods in self._pods:
            await pods.sweep()

    async def close(self) -> None:
        for pods in self._pods:
            await pods.close()
        await self._logs.close()
        await self._events.close()
