"""The node: what this machine is and has, and the Node object that describes it.

`machine` reads the machine's facts, `addresses` chooses the node's addresses, and `capacity` computes what pods may
use. `object` and `conditions` make the Node object, `current` holds it, and `keeper` registers it and reports its
status. `lease` is the heartbeat. `volumes` waits for attached volumes, `pod_routes` makes routes to other nodes' pods.
"""
