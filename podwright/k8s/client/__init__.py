"""A client of Kubernetes API servers on asyncio: typed, with a deadline for every call.

`protocol` is what callers use. `client` serves it over HTTP (`requests`, `patch`, `changes` of a watch, a `limiter`,
typed `failures`), with the `transport` to an `endpoint`, which has a `pool` of HTTP connections (`connection`, and
below it `dialing` with `tls`). It reports its `calls` to those who count them. `listwatch` keeps a set of objects up
to date, `kubeconfig` says where the server is and who we are, `certificates` gets certificates by requests and renews
them.
"""
