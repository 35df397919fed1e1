"""A set of objects kept up to date by lists and watches.

`reflector` does it, with a `backoff` after failures. `progress` decides, `cache` holds the objects.
"""
