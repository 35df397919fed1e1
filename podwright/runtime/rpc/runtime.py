"""Version, Status, RuntimeConfig and UpdateRuntimeConfig."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import msgspec

from podwright import __version__
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime import config as configuration
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.network import NetworkService


class RuntimeRpcs:
    """The family."""

    def __init__(self, config: configuration.Config, handlers: Handlers, network: NetworkService) -> None:
        self._config = config
        self._handlers = handlers
        self._network = network

    async def Version(self, _request: api.VersionRequest, _: Any) -> api.VersionResponse:
        return api.VersionResponse(
            version="0.1.0",  # of the kubelet's runtime API, frozen for ever
            runtime_name="podwright",
            runtime_version=__version__,
            runtime_api_version="v1",
        )

    async def Status(self, request: api.StatusRequest, _: Any) -> api.StatusResponse:
        network = self._network.readiness()
        has_runtime = bool(self._handlers.names())
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
        response = api.StatusResponse(
            status=api.RuntimeStatus(conditions=conditions),
            runtime_handlers=self._runtime_handlers(),
            features=api.RuntimeFeatures(supplemental_groups_policy=True),
        )
        if request.verbose:
            response.info["config"] = json.dumps(msgspec.to_builtins(self._config))
        return response

    def _runtime_handlers(self) -> list[api.RuntimeHandler]:
        """One per handler, and one without a name that stands for the default."""
        names = self._handlers.names()
        if self._handlers.default:
            names = ["", *names]
        messages = []
        for name in names:
            features = self._handlers.features[name or self._handlers.default]
            supported = api.RuntimeHandlerFeatures(
                recursive_read_only_mounts=features.recursive_read_only, user_namespaces=False
            )
            messages.append(api.RuntimeHandler(name=name, features=supported))
        return messages

    async def RuntimeConfig(self, _request: api.RuntimeConfigRequest, _: Any) -> api.RuntimeConfigResponse:
        systemd = self._config.containers.cgroup_driver == "systemd"
        driver = api.SYSTEMD if systemd else api.CGROUPFS
        return api.RuntimeConfigResponse(linux=api.LinuxRuntimeConfiguration(cgroup_driver=driver))

    async def UpdateRuntimeConfig(
        self, request: api.UpdateRuntimeConfigRequest, _: Any
    ) -> api.UpdateRuntimeConfigResponse:
        for cidr in filter(None, request.runtime_config.network_config.pod_cidr.split(",")):
            try:
                ipaddress.ip_network(cidr.strip(), strict=False)
            except ValueError as malformed:
                raise InvalidArgument(f"pod_cidr {cidr!r}: {malformed}") from malformed
        return api.UpdateRuntimeConfigResponse()
