"""Makes the cgroups of pods and of QoS classes, and enforces reservations."""

from __future__ import annotations

from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.configs.node import memory_qos_of
from podwright.agent.node.capacity import reserved_amounts
from podwright.agent.resources.cgroup_names import CgroupNames, names_of
from podwright.agent.resources.cgroups import CgroupTree, NoCgroups
from podwright.agent.resources.drivers import CgroupDriver, CgroupfsDriver, SystemdDriver
from podwright.agent.resources.keeping import PodCgroups
from podwright.agent.resources.limits import PIDS, CgroupLimits, LimitRules, limits_of_root
from podwright.agent.resources.managers import ResourceManagers
from podwright.agent.resources.measured import MeasuredDriver
from podwright.agent.resources.reserved import enforce, reserved_cgroups
from podwright.agent.volumes.manager import VolumeManager
from podwright.k8s.quantity import NANO, Amount
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost


def make_cgroups(context: AssemblyContext, managers: ResourceManagers, volumes: VolumeManager) -> PodCgroups:
    """The cgroups of pods, kept up to date with the pods. With `cgroupsPerQOS: false` there are none."""
    tree = _tree(context, managers) if context.config.cgroups.per_qos else NoCgroups()
    return PodCgroups(tree, context.engine.active_pods, volumes.has_volumes)


async def enforce_reserved(context: AssemblyContext) -> None:
    """Enforce the reservations on their cgroups. Raises FailedPrecondition."""
    host, names = cgroup.detect(), _names(context)
    reserved = reserved_cgroups(context.config, names.driver)
    await enforce(reserved, host, _driver(context, host), context.events)


def pods_cgroup(context: AssemblyContext) -> str:
    """The cgroup above all pods. Empty if the agent makes no cgroups."""
    return _names(context).kubepods if context.config.cgroups.per_qos else ""


def _names(context: AssemblyContext) -> CgroupNames:
    is_systemd = context.dependencies.cgroup_driver == "systemd"
    return names_of("systemd" if is_systemd else "cgroupfs", context.config.cgroups.root)


def _tree(context: AssemblyContext, managers: ResourceManagers) -> CgroupTree:
    config, host = context.config, cgroup.detect()
    rules = LimitRules(
        enforces_cpu=config.cgroups.cpu_cfs_quota,
        cpu_period_us=round(config.cgroups.cpu_cfs_quota_period_s * 1e6),
        max_pids=config.pods.max_pid_count,
        huge_page_sizes=context.node.facts.huge_page_sizes,
        memory_qos=memory_qos_of(config),
    )
    driver, root_limits = _driver(context, host), _root_limits(context, rules)
    return CgroupTree(host, driver, _names(context), rules, root_limits, context.events, managers.cpus.lifts_quota_of)


def _driver(context: AssemblyContext, host: CgroupHost) -> CgroupDriver:
    is_systemd = _names(context).driver == "systemd"
    dependencies = context.dependencies
    driver: CgroupDriver = SystemdDriver(host, dependencies.runner) if is_systemd else CgroupfsDriver(host)
    return MeasuredDriver(driver, dependencies.metrics.cgroup_operations, dependencies.clock)


def _root_limits(context: AssemblyContext, rules: LimitRules) -> CgroupLimits:
    """The limits of all pods together: the capacity, without reservations if they are enforced."""
    config, max_pids = context.config, context.dependencies.machine.max_pids
    reserved = reserved_amounts(config) if "pods" in config.reserved.enforced else ()
    pids = {PIDS: Amount(max_pids * NANO)} if max_pids else {}
    return limits_of_root({**context.node.capacity, **pids}, reserved, rules)
