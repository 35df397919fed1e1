"""Volumes whose data is kept outside of the pod: on local disks, on NFS servers, by CSI drivers."""
