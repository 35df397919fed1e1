"""The node: what this machine is and has, and the Node object that shows it to the API.

`machine` reads the machine, `addresses` chooses the node's, `capacity` says what pods may use. `object` and
`conditions` make the Node object, `current` holds it, `keeper` registers and reports it, `lease` is its heartbeat.
`volumes` waits for attached volumes, `pod_routes` makes routes to other nodes' pods.
"""
