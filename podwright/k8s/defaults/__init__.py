"""The API server's defaults, for objects from files.

Source: pkg/apis/{core,apps,batch}/v1/defaults.go of Kubernetes 1.36. The entry point is `apply.with_defaults`. The
rules are in `core`, `images`, `services`, `storage` and `workloads`. Objects from the API already have their defaults.
"""
