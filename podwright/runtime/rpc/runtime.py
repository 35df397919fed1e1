"""Version, Status, RuntimeConfig and UpdateRuntimeConfig."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from podwright import __version__
from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.engines.protocol import NodeEngine, NodeState
from podwright.timeline import Timeline

NO_RUNTIME = "there is no OCI runtime on this host: install crun or runc"
SLOW_S = 1.0  # the verbose status shows calls that have run for longer


class RuntimeRpcs:
    def __init__(self, node: NodeEngine, timeline: Timeline) -> None:
        self._node = node
        self._timeline = timeline
        self._last: tuple[NodeState, bytes] | None = None  # the last state and its reply

    async def Version(self, _request: api.VersionRequest, _: Any) -> api.VersionResponse:
        return api.VersionResponse(
            version="0.1.0",  # the version of the kubelet's runtime API, which never changes
            runtime_name="podwright",
            runtime_version=__version__,
            runtime_api_version="v1",
        )

    async def Status(self, request: api.StatusRequest, _: Any) -> api.StatusResponse | bytes:
        """The reply is kept in encoded form, because a kubelet asks often and the answer rarely changes."""
        state = await self._node.state()
        if request.verbose:
            response = _status(state)
            response.info["config"] = json.dumps(self._node.document())
            looks = self._timeline.looks(SLOW_S)
            response.info["underWay"] = json.dumps(msgspec.to_builtins(looks))
            return response
        if self._last is None or self._last[0] != state:
            self._last = (state, _status(state).SerializeToString())
        return self._last[1]

    async def RuntimeConfig(self, _request: api.RuntimeConfigRequest, _: Any) -> api.RuntimeConfigResponse:
        driver = api.SYSTEMD if self._node.systemd_cgroups else api.CGROUPFS
        return api.RuntimeConfigResponse(linux=api.LinuxRuntimeConfiguration(cgroup_driver=driver))

    async def UpdateRuntimeConfig(
        self, request: api.UpdateRuntimeConfigRequest, _: Any
    ) -> api.UpdateRuntimeConfigResponse:
        await self._node.set_pod_cidr(request.runtime_config.network_config.pod_cidr)
        return api.UpdateRuntimeConfigResponse()


def _status(state: NodeState) -> api.StatusResponse:
    has_runtime = bool(state.handlers)
    conditions = [
        api.RuntimeCondition(
            type="RuntimeReady",
            status=has_runtime,
            reason="" if has_runtime else "NoHandler",
            message="" if has_runtime else state.runtime_message or NO_RUNTIME,
        ),
        api.RuntimeCondition(
            type="NetworkReady",
            status=not state.network_reason,
            reason=state.network_reason,
            message=state.network_message,
        ),
    ]
    return api.StatusResponse(
        status=api.RuntimeStatus(conditions=conditions),
        runtime_handlers=[
            api.RuntimeHandler(
                name=handler.name,
                features=api.RuntimeHandlerFeatures(
                    recursive_read_only_mounts=handler.recursive_read_only_mounts,
                    user_namespaces=handler.user_namespaces,
                ),
            )
            for handler in state.handlers
        ],
        features=api.RuntimeFeatures(
            supplemental_groups_policy=state.groups_policy,
            user_namespaces_host_network=state.user_namespaces,
            mount_options=state.mount_options,
        ),
    )
