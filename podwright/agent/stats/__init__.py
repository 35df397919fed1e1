"""What the node and its pods use: for the summary, for Prometheus, and for eviction.

Other rooms use only `protocol`, whose answers are `records`. `provider` measures, with `setup` by the configuration:
`machine_usage` and `machine_disks` the machine, `system_parts` and `cgroup_usage` its cgroups, `pod_stats` the pods by
what `cri` has of them, `volumes`, `disk` and `storage` their files. `rates` makes rates of sums, and `sharing` one
measurement for all. `cadvisor_metrics`, `machine_rows`, `resource_metrics` and `claim_metrics` are the metrics.
"""
