"""Engines do the work behind the gRPC edge.

The edge knows them by `protocol`. `native` runs pods on this host by itself, `docker` in a Docker Engine. `making`
makes the one that the configuration names.
"""
