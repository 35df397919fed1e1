"""What pods get of this machine: cgroups, devices, CPUs, memory, claims, ranges of user ids.

Cgroups of pods: `cgroups` makes the tree of `cgroup_names` with `limits`, by one of two `drivers`: `cgroupfs` (with
`cgroup_writes`), or `slices` of systemd. `measured` times a driver, `keeping` updates the tree, `protocol` is the
interface for other rooms, and `resize_steps` has the order of a resize. Other cgroups: `reserved`, `system_cgroups`.

Allotted to containers: `cpus`, `memory`, `devices` and `claims`. `topology` keeps them on the same NUMA nodes,
`pod_level` allots to whole pods, `pod_resources` shows them to monitors. `managers` and `node_plugins` tie them
together, `recovery` and `state_files` keep them over restarts.

`userns` allots ranges of user ids from the node's `id_range`. `swap` checks whether the node may have swap.
"""
