"""Containers: their specs, their files on the host, and their life cycle from creation to removal.

`requests` decides which requests are allowed when, for all engines. `service` is that for this engine, and
`environment` is what its steps share.

Creation: `validate`, `creation`, then on the host `root` with `host_parts`, `paths`, `image_mounts`,
`image_directories`, `volumes`, `sources`, `staging` and `devices`. `editing` and `hooks_folder` change the spec,
`targets` finds a PID namespace to join.

Afterwards: `running`, `stopping`, `freezing`, `updating` and `execution`, and `recovery` at the daemon's start.
"""
