"""What Podwright's daemon offers beyond the CRI: the protos below `v1`, their stubs, and a client."""
