"""Images on disk: the content store (`blobs`), the unpacked layers (`layers`), and the unpacking of tars.

It knows digests and files, but no registries, names or CRI. `image` connects it with `registry`.
"""
