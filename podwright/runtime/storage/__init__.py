"""What images are on disk: the content store (`blobs`), the unpacked layers (`layers`), and how a tar becomes one.

Knows digests and files, not registries, names or CRI; `image` joins it with `registry`.
"""
