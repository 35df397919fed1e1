"""Facts that follow from a pod alone. Pure.

`identity` (names, source and labels), `phases`, `containers`, `ports`, `references` (to ConfigMaps and Secrets),
`qos`, `resources`, `allocation` (of a resize), `hashes`, `deadlines`, `places` (paths on disk). `reasons` and
`failures` are errors. `registry` holds the wanted pods, `backoff` growing waits.
"""
