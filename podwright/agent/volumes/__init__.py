"""The volumes of pods: plug-ins plan them, `manager` sets them up, `teardown` removes them.

Planning: `plugins` make `plans` of the volumes that containers use (`used`). `objects_to_files` turns ConfigMaps and
Secrets into files, and `memory_size` limits tmpfs. Setting up: `keeper` runs `setup` for each plan: `payload` writes
files (`payload_paths`), `host_paths` checks a path, `ownership` changes groups (`groups`, `slow_groups`), and
`storage` mounts volumes whose data is outside of the pod. `state` is the manager's state of a pod, `places` has the
paths on disk, and `subpaths` binds parts of volumes. `remover` runs `teardown`, which walks `trees`. `threads` runs
blocking calls, `shared_root` makes the agent's root a shared mount, `timing` measures. `failures` and `messages` are
for people, `ports` lists what volumes need of other rooms.
"""
