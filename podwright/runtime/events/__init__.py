"""Events about sandboxes and containers for subscribers, derived from changes of records."""

from podwright.runtime.events.event import ContainerEvent, EventKind
from podwright.runtime.events.hub import EventHub, Subscription

__all__ = ["ContainerEvent", "EventHub", "EventKind", "Subscription"]
