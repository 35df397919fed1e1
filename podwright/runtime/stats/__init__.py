"""Resource usage of pods and containers: CPU, memory, swap, pressure, processes, network and disk, and its metrics.

`service` is called by the gRPC edge, and `collector` reads the kernel's files: `cgroups` (`v1`, `v2`, `parse`,
`ownership`), `processes`, `layers`, `links`. `rates` computes usage per second. `metrics`, `samples` and `descriptors`
are for ListPodSandboxMetrics. This room changes nothing, and nothing here runs without a request.
"""
