"""What follows from a pod alone. Pure.

`identity` (who it is, and the labels that say so), `phases`, `containers`, `ports`, `references` (ConfigMaps and
Secrets), `qos`, `resources`, `allocation` (of a resize), `hashes`, `deadlines`, `places` (on disk), and `reasons` and
`failures` of what went wrong. `registry` holds the pods that sources want, `backoff` the waits that grow.
"""
