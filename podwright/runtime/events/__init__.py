"""Events about sandboxes and containers for subscribers, derived from changes of records.

`event` decides which events a change means, `hub` sends them.
"""

from podwright.runtime.events.event import ContainerEvent, EventKind
from podwright.runtime.events.hub import EventHub, Subscription

__all__ = ["ContainerEvent", "EventHub", "EventKind", "Subscription"]
