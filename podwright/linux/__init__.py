"""Linux features that Python's standard library lacks: mounts, namespaces, openat2, cgroups, capabilities.

Standard library only, and no policy, so both halves may use it. Calls block and release the GIL: run them in a thread
if they may take longer than a fraction of a millisecond. `libc` has the system calls.

mounts     `mount`, `detached`, `namespaces`
files      `openat2`, `directories`, `files`, `kept_files`, `memory_file`, `sealed`, `disk_tally`, `inotify`
cgroups    `cgroup`, `cgroup_limits`, `cgroup_lock`, `freezer`, `slices`, `memory_kills`
processes  `proc`, `capabilities`, `elf`, `apparmor`, `selinux`
machine    `machine_files`, `pressure`, `cpu_lists`, `huge_pages`
"""
