"""Version, Status, RuntimeConfig and UpdateRuntimeConfig."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec

from podwright import __version__
from podwright.cri.v1 import api_pb2 as api
from podwright.linux import detached
from podwright.runtime import config as configuration
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.network import NetworkService, Readiness
from podwright.runtime.sandbox.userns import UserNamespaces
from podwright.timeline import Timeline

SLOW_S = 1.0  # calls under way for longer are told in the verbose status


class RuntimeRpcs:
    """The family."""

    def __init__(
        self,
        config: configuration.Config,
        handlers: Handlers,
        network: NetworkService,
        users: UserNamespaces,
        timeline: Timeline,
    ) -> None:
        self._timeline = timeline
        self._config = config
        self._users = users
        self._handlers = handlers
        self._network = network
        self._told: tuple[object, bytes] | None = None  # the last state and its reply

    async def Version(self, _request: api.VersionRequest, _: Any) -> api.VersionResponse:
        return api.VersionResponse(
            version="0.1.0",  # of the kubelet's runtime API, frozen for ever
            runtime_name="podwright",
            runtime_version=__version__,
            runtime_api_version="v1",
        )

    async def Status(self, request: api.StatusRequest, _: Any) -> api.StatusResponse | bytes:
        """The reply is kept encoded: a kubelet asks again and again, and nothing changes."""
        network, users = await self._network.readiness(), not await self._users.lacking()
        if request.verbose:
            response = self._status(network, user_namespaces=users)
            # critest asks the file system of what containerd calls its stateDir whether it can map owners.
            places = {"stateDir": f"{self._config.root}/containers"}
            response.info["config"] = json.dumps({**msgspec.to_builtins(self._config), **places})
            looks = self._timeline.looks(SLOW_S)
            response.info["underWay"] = json.dumps([dataclasses.asdict(look) for look in looks])
            return response
        state = (network, users, tuple(handler.capabilities for handler in self._handlers.all()))
        if self._told is None or self._told[0] != state:
            self._told = (state, self._status(network, user_namespaces=users).SerializeToString())
        return self._told[1]

    def _status(self, network: Readiness, *, user_namespaces: bool) -> api.StatusResponse:
        has_runtime = bool(self._handlers.all())
        conditions = [
            api.RuntimeCondition(
                type="RuntimeReady",
                status=has_runtime,
                reason="" if has_runtime else "NoHandler",
                message="" if has_runtime else "there is no OCI runtime on this host: install crun or runc",
            ),
            api.RuntimeCondition(
                type="NetworkReady", status=network.ready, reason=network.reason, message=network.message
            ),
        ]
        return api.StatusResponse(
            status=api.RuntimeStatus(conditions=conditions),
            runtime_handlers=self._runtime_handlers(user_namespaces=user_namespaces),
            features=api.RuntimeFeatures(
                supplemental_groups_policy=True,
                user_namespaces_host_network=user_namespaces,
                mount_options=True,
            ),
        )

    def _runtime_handlers(self, *, user_namespaces: bool) -> list[api.RuntimeHandler]:
        """One per handler, and one without a name that stands for the default."""
        configured = {handler.name: handler for handler in self._handlers.all()}
        named = {"": self._handlers.get(""), **configured} if configured else {}
        return [
            api.RuntimeHandler(
                name=name,
                features=api.RuntimeHandlerFeatures(
                    recursive_read_only_mounts=detached.is_supported(),
                    user_namespaces=user_namespaces and handler.capabilities.user_namespaces,
                ),
            )
            for name, handler in named.items()
        ]

    async def RuntimeConfig(self, _request: api.RuntimeConfigRequest, _: Any) -> api.RuntimeConfigResponse:
        systemd = self._config.containers.cgroup_driver == "systemd"
        driver = api.SYSTEMD if systemd else api.CGROUPFS
        return api.RuntimeConfigResponse(linux=api.LinuxRuntimeConfiguration(cgroup_driver=driver))

    async def UpdateRuntimeConfig(
        self, request: api.UpdateRuntimeConfigRequest, _: Any
    ) -> api.UpdateRuntimeConfigResponse:
        await self._network.set_pod_cidr(request.runtime_config.network_config.pod_cidr)
        return api.UpdateRuntimeConfigResponse()
