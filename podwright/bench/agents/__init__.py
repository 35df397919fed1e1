"""Node agents for the suite `agent`: any program that makes pods from a manifest folder through CRI, like a kubelet.

`command`        the command line of a node agent, and its KubeletConfiguration (pure)
`pods`           the manifests of its pods, and what its `/pods` reports (pure)
`manifests`      the folder that it watches
`runtime_view`   the same pods as the runtime reports them
`cgroup`         the cgroup of all pods of one agent
`program`        the running program: its ports, its CPU and memory
`session`        a program with everything around it, with nothing left behind
"""
