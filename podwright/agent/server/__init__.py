"""The agent's servers: its own socket for people, /healthz, and the kubelet's API on its ports.

`setup` makes the `servers` of an agent. A request comes over `http`, passes `auth`, and `serving` finds its handler.
`api` has the handlers, `streaming` the upgraded connections, `pods_api` the Pods API over gRPC. Handlers read the
agent's state from `view`, and the state of the agent's process from `health` and `metrics`. `serving_certificate`
chooses the certificate. `early_ports` binds the ports before the other modules are loaded.
"""
