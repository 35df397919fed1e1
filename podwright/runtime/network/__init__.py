"""Pod networking: CNI plugins if the host has a configuration for them, otherwise the built-in bridge.

The room of sandboxes calls `service` with a `request`. `cni` is the one way. The other is `bridge`: addresses (`ipam`,
`subnets`), its link (`bridge_link`, `upkeep`), a pod's link (`links`, `deletions`, by `netlink`), host ports
(`hostports`, `port_holder`, by `firewall`) and `bandwidth`. `threads` runs blocking calls. Nothing here knows
protobuf, images or containers.
"""

from podwright.runtime.network.request import NetworkRequest, Readiness
from podwright.runtime.network.service import NetworkService

__all__ = ["NetworkRequest", "NetworkService", "Readiness"]
