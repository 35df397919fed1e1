"""The runtime: a CRI server in the role of containerd and CRI-O. `app` wires it together."""
