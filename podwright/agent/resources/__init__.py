"""What this machine shares out to pods: cgroups, devices, CPUs, memory, claims, ranges of user ids.

Cgroups of pods: `cgroups` makes the tree of `cgroup_names` with `limits`, by one of two `drivers`: `cgroupfs` (with
`cgroup_writes`), or `slices` of systemd. `measured` times a driver, `keeping` updates the tree, `protocol` is what
others see of it, and `resize_steps` is the order of a resize. Other cgroups: `reserved`, `system_cgroups`.

Allotted to containers: `cpus`, `memory`, `devices` and `claims`, all on the same NUMA nodes by `topology`, and shown
to monitors by `pod_resources`. `managers` and `node_plugins` tie them together, `recovery` and `state_files` keep them
over restarts.

`userns` gives ranges of user ids out of the `id_range` of the node. `swap` says whether the node may have swap.
"""
