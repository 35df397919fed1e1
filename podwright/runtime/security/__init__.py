"""What confines processes: seccomp and AppArmor profiles, SELinux labels. Used for sandboxes and containers.

`profiles` finds the profiles. `apparmor` (`apparmor_profile`) is for the kernel, `selinux` has labels, and
`relabelling` gives them to volumes. `confining` is for a pod's first process.
"""
