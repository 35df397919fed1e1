"""Measures what the node and its pods use: for the summary, for Prometheus, and for eviction.

Other rooms use only `protocol`, whose answers are `records`. `provider`, made by `setup`, measures: the machine by
`machine_usage` and `machine_disks`, its cgroups by `system_parts` and `cgroup_usage`, the pods by `pod_stats` from
messages of `cri`, and their files by `volumes`, `disk` and `storage`. `rates` computes rates from sums, `sharing` lets
callers share a measurement. `cadvisor_metrics`, `machine_rows`, `resource_metrics` and `claim_metrics` are the
metrics.
"""
