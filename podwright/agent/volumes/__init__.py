"""The volumes of pods: plug-ins plan them, `manager` keeps them as the pods want them, `teardown` removes them.

`plugins` make `plans` of the volumes that are `used`, from `references` to objects (`objects_to_files`), within
`memory_size`. `keeper` has `setup` carry them out: `payload` (at `payload_paths`) writes files, `host_paths` checks a
path, `ownership` changes groups (`groups`, `slow_groups`), and `storage` mounts what is kept outside of the pod.
`state` is what the manager holds of a pod, `places` where things are on disk, `subpaths` binds parts of volumes.

`remover` runs `teardown`, which walks `trees`. `threads` run all that blocks, `shared_root` makes the root a shared
mount, `failures` and `messages` say what went wrong, `ports` what is needed of other rooms.
"""
