"""Pods on the network: CNI plugins when the host has a configuration for them, the built-in bridge otherwise.

`service` is what the sandbox room calls; nothing here knows of protobuf, images or containers.
"""

from podwright.runtime.network.request import NetworkRequest, Readiness
from podwright.runtime.network.service import NetworkService

__all__ = ["NetworkRequest", "NetworkService", "Readiness"]
