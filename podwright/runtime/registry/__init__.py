"""The client side of the distribution protocol: names, mirrors, credentials, manifests and blobs.

`client` pulls from one repository: a `reference` has `hosts`, each a `server` with `transport` (`encodings`), `auth`
(`challenge`, `logins`) and `patience`. `manifest` (`nulls`, `platforms`) parses, `download` gets a blob, in `ranges`
if it is large, `upload` pushes, and `failure` chooses what to report.

This room knows HTTP and JSON, but no disks, records or CRI. `image` connects it with `storage`. aiohttp is loaded with
the first pull.
"""
