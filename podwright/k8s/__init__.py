"""The Kubernetes API as a node needs it: typed objects, reading, defaults, validation. Does no I/O."""
