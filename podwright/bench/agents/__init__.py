"""Node agents for the suite `agent`: any program that makes pods of a manifest folder through CRI, as a kubelet does.

command        the command line of a node agent, and its KubeletConfiguration (pure)
pods           the pods that it gets as manifests, and what its `/pods` says of them (pure)
manifests      the folder that it watches
runtime_view   the same pods as the runtime sees them
cgroup         the cgroup that all pods of one agent are in
program        the running program: its ports, its CPU and memory
session        a program with everything around it, and nothing left behind
"""
