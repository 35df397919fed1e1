"""Image archives (docker-archive, oci-archive): reads untrusted ones and writes our own.

It knows formats and files. `image` decides what happens to an archive's images.
"""
