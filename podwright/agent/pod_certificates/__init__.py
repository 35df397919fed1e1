"""Certificates of pods: requested of the signer that a projected volume names, and renewed in time.

`issuing` holds them, `states` decides what is next for each, `requests` makes the API's objects, and `keys` has
`key_child` make a key in a process of its own.
"""
