"""Volumes whose data is kept outside of the pod: on local disks, on NFS servers, by CSI drivers.

`service` hands each volume to its kind (`protocol`): `local`, `nfs` or `csi`. `binding` finds the PersistentVolume of
a claim, and `planning` makes the `plans`, with mount `options` and labels (`selinux_mounts`).

CSI: `csi_inputs` makes requests, `csi_stages` stages for all pods, `vol_data` is the file beside each volume, `in_use`
what the node's status names, `attach_limits` what cannot be attached, `expansion` grows filesystems.

`mounting`, `formatting`, `devices` and `groups` work on the host, `mapped` has events, `turns` one caller at a time.
"""
