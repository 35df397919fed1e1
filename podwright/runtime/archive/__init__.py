"""Image archives (docker-archive, oci-archive): reading strangers' and writing our own.

Knows formats and files, not the node's images: `image` decides what becomes of what an archive holds.
"""
