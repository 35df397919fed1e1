"""The API server's defaulting, for objects that come from files. Source: pkg/apis/{core,apps,batch}/v1/defaults.go of
Kubernetes 1.36. `apply.with_defaults` is the way in; objects from the API have their defaults already.
"""
