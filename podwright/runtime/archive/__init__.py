"""Image archives (docker-archive, oci-archive): reads untrusted ones and writes our own.

`members` has an archive split by the confined program `intake`, `contents` finds the images in it. `writing` writes
archives. `decompress` and `stream` are for compressed ones. This room knows formats and files. `image` decides what
happens to an archive's images.
"""
