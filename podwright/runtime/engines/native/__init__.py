"""The engine that runs pods on this host.

`engine` connects its services, `listeners` are those that observe its pods, `node` is the node as CRI's Status shows
it.
"""
