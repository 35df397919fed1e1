"""Pod networking: CNI plugins if the host has a configuration for them, otherwise the built-in bridge.

The room of sandboxes calls `service`. Nothing here knows protobuf, images or containers.
"""

from podwright.runtime.network.request import NetworkRequest, Readiness
from podwright.runtime.network.service import NetworkService

__all__ = ["NetworkRequest", "NetworkService", "Readiness"]
