"""Containers: their specs, their files on the host, and their life cycle from creation to removal.

`service` answers requests. `requests` decides which of them are allowed when, for all engines, with what `protocol`
asks of one. `environment` is what the steps of this engine share.

CreateContainer: `validate`, `creating`, then `filesystem` on the host. `editing` and `hooks_folder` change the spec,
`targets` finds a PID namespace to join. Afterwards: `running`, `pausing`, `updating`, `execution`, `stopping`,
`ending` (the record of it), `removing`, and `recovery` at the daemon's start.
"""
