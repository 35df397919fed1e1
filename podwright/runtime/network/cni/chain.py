"""Runs a list of plugins (CNI spec, section 3): the order, the passing of results, and the version."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, PodwrightError, Unavailable
from podwright.runtime.network.cni import results
from podwright.runtime.network.cni.calls import CniTarget
from podwright.runtime.network.cni.config import NetworkList
from podwright.runtime.network.cni.plugin import PluginCall, PluginRunner
from podwright.runtime.network.cni.results import Failure

log = logging.getLogger(__name__)

RETRY_DELAYS_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # then every 2 s, until the deadline
PREVIOUS_RESULT_ON_DEL = "0.4.0"
CHECK_SINCE = "0.4.0"
STATUS_SINCE = "1.1.0"
GC_SINCE = "1.1.0"


class Chain:
    """Operations on networks. `deadline` is a time of the event loop's clock."""

    def __init__(self, plugins: PluginRunner) -> None:
        self._plugins = plugins

    async def add(self, network: NetworkList, target: CniTarget, deadline: float) -> dict[str, Any]:
        """Run ADD through the list and return the last result. Raises PodwrightError at the first failure."""
        previous: dict[str, Any] | None = None
        for plugin in network.plugins:
            invocation = PluginCall(command="ADD", network=network, plugin=plugin, target=target, previous=previous)
            previous = await self._insist(invocation, deadline)
        return previous or {}

    async def delete(
        self, network: NetworkList, target: CniTarget, previous: Mapping[str, Any] | None, deadline: float
    ) -> None:
        """Run DEL through the list backwards. A failure does not stop it, because each plugin holds its own resources.

        Raises the first failure as a PodwrightError. Then the whole call may be repeated.
        """
        given = previous if network.supports(PREVIOUS_RESULT_ON_DEL) else None
        failures: list[PodwrightError] = []
        for plugin in reversed(network.plugins):
            invocation = PluginCall(command="DEL", network=network, plugin=plugin, target=target, previous=given)
            try:
                await self._insist(invocation, deadline)
            except PodwrightError as failure:
                log.warning(
                    "CNI DEL failed: plugin=%s container=%s error=%s", plugin.type, target.container_id, failure
                )
                failures.append(failure)
        if failures:
            raise failures[0]

    async def check(
        self, network: NetworkList, target: CniTarget, previous: Mapping[str, Any], deadline: float
    ) -> None:
        """Run CHECK for every plugin. Raises PodwrightError if one fails."""
        if network.disable_check or not network.supports(CHECK_SINCE):
            return
        for plugin in network.plugins:
            invocation = PluginCall(command="CHECK", network=network, plugin=plugin, target=target, previous=previous)
            await self._insist(invocation, deadline)

    async def status(self, network: NetworkList, timeout_s: float) -> str:
        """Why the network cannot take a pod now, or "". Also "" if the plugins do not support STATUS."""
        if not network.supports(STATUS_SINCE):
            return ""
        for plugin in network.plugins:
            try:
                outcome = await self._plugins.run(
                    PluginCall(command="STATUS", network=network, plugin=plugin), timeout_s
                )
            except PodwrightError as failure:
                return str(failure)
            if isinstance(outcome, Failure):
                return str(outcome)
        return ""

    async def collect(self, network: NetworkList, valid: list[dict[str, str]], timeout_s: float) -> None:
        """Run GC: every plugin drops what belongs to no attachment in `valid`. Failures are logged."""
        if network.disable_gc or not network.supports(GC_SINCE):
            return
        for plugin in network.plugins:
            invocation = PluginCall(command="GC", network=network, plugin=plugin, valid=valid)
            try:
                outcome = await self._plugins.run(invocation, timeout_s)
            except PodwrightError as failure:
                log.warning("CNI GC failed: network=%s error=%s", network.name, failure)
                continue
            if isinstance(outcome, Failure):
                log.warning("CNI GC failed: network=%s error=%s", network.name, outcome)

    async def settle_version(self, network: NetworkList) -> str:
        """The best version that the file allows and every plugin supports. Raises PodwrightError."""
        spoken = await asyncio.gather(*(self._plugins.versions(network, plugin) for plugin in network.plugins))
        for version in network.versions:
            if all(versions is None or version in versions for versions in spoken):
                return version
        for plugin, versions in zip(network.plugins, spoken, strict=True):
            if versions is not None and not versions & set(network.versions):
                raise FailedPrecondition(
                    f"CNI network {network.name}: plugin {plugin.type} speaks {', '.join(sorted(versions))}, "
                    f"the configuration wants {', '.join(network.versions)}"
                )
        raise FailedPrecondition(f"CNI network {network.name}: its plugins support no common version")

    async def _insist(self, invocation: PluginCall, deadline: float) -> dict[str, Any]:
        """Run a plugin, and repeat it while it answers "try again later". Raises PodwrightError."""
        now = asyncio.get_running_loop().time
        delays = iter(RETRY_DELAYS_S)
        said: Failure | None = None
        while True:
            left_s = deadline - now()
            if left_s <= 0:
                raise DeadlineExceeded(
                    f"CNI network {invocation.network.name}: no time left for {_describe(invocation)}"
                )
            try:
                outcome = await self._plugins.run(invocation, left_s)
            except DeadlineExceeded:
                if said is None:
                    raise
                raise _error(invocation, said) from None  # the plugin's earlier message explains more
            if not isinstance(outcome, Failure):
                return outcome
            said = outcome
            delay_s = next(delays, RETRY_DELAYS_S[-1])
            if outcome.code != results.TRY_AGAIN_LATER or now() + delay_s >= deadline:
                raise _error(invocation, outcome)
            log.info("CNI plugin answers try again later: plugin=%s delay_s=%g", outcome.plugin, delay_s)
            await asyncio.sleep(delay_s)


def _describe(invocation: PluginCall) -> str:
    return f"{invocation.command} of plugin {invocation.plugin.type}"


def _error(invocation: PluginCall, failure: Failure) -> PodwrightError:
    message = f"CNI network {invocation.network.name}, {invocation.command}: {failure}"
    if failure.code == results.TRY_AGAIN_LATER:
        return Unavailable(message)
    if failure.code in results.CONFIGURATION_CODES:
        return FailedPrecondition(message, hint="see the network's configuration in [network] cni_conf_dir")
    return Internal(message)
