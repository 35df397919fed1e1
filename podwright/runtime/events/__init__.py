"""What happens to sandboxes and containers, told to whoever listens: events from changes of records."""

from podwright.runtime.events.event import ContainerEvent, EventKind
from podwright.runtime.events.hub import EventHub, Subscription

__all__ = ["ContainerEvent", "EventHub", "EventKind", "Subscription"]
