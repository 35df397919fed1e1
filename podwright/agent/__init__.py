"""The node agent: the kubelet's role, as a CRI client. docs/architecture.md has its rooms."""
