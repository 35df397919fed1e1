"""Volumes whose data is outside of the pod: on local disks, on NFS servers, with CSI drivers.

`service` gives each volume, with a `task`, to its kind of storage: `local`, `nfs` or `csi`. `binding` checks the
PersistentVolume of a claim, and `planning` makes the `plans`, with mount `options` and labels (`selinux_mounts`).

CSI: `csi_inputs` makes requests, `csi_stages` stages volumes for all pods, `vol_data` is the file beside each volume.
`in_use` has the volumes for the node's status, `attach_limits` those that cannot be attached, `expansion` grows
filesystems.

`mounting`, `formatting`, `devices` and `groups` work on the host. `mapped` records events. `turns` are locks by name.
"""
