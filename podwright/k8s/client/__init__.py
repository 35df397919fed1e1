"""A client of Kubernetes API servers on asyncio: typed, with a deadline for every call.

`protocol` is what callers know. `client` serves it over HTTP, `reflector` keeps a set of objects up to date by it,
`kubeconfig` says where the server is and who we are, `certificates` gets certificates by requests and renews them.
"""
