"""The agent's servers: its own socket for people, /healthz, and the kubelet's API on its ports.

`setup` makes the `servers` of an agent. `serving` takes a request to its answer, over `http` and past `auth`. `api`
has the paths, `streaming` the upgraded connections, `view` the agent's state. `health` and `metrics` are what they
show of the agent itself, `serving_certificate` chooses the certificate.
"""
