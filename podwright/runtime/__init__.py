"""The runtime: a CRI server in the role of containerd and CRI-O. docs/architecture.md has its rooms."""
