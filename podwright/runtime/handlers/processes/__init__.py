"""What handlers of processes on this host share. Nothing here knows which runtime made them.

`attach` shares stdio among clients, `log_files` makes log files. `cgroups`, `limits` and `memory` are about a
container's cgroup. `pause` is the first process of a pod, `stand_in` a program in an OCI runtime's place.
"""
