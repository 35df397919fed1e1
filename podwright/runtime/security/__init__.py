"""What confines processes: seccomp and AppArmor profiles, SELinux labels. Used for sandboxes and containers."""
