"""The distribution protocol, client side: names, mirrors, credentials, manifests and blobs.

Knows HTTP and JSON, not disks, records or CRI; `image` joins it with `storage`. aiohttp is loaded with the first pull.
"""
