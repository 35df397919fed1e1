"""The client side of the distribution protocol: names, mirrors, credentials, manifests and blobs.

It knows HTTP and JSON, but no disks, records or CRI. `image` connects it with `storage`. aiohttp is loaded with the
first pull.
"""
