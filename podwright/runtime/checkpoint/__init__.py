"""Checkpoints of containers and pods through CRIU and the OCI runtime, and pods made from them."""
