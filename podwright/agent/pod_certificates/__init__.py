"""Certificates of pods, requested from the signer that a projected volume names, and renewed in time.

`issuing` holds them, `states` decides the next step for each, `requests` makes the API's objects, and `keys` runs
`key_child`, a process that makes a key.
"""
