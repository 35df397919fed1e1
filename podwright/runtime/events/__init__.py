"""What happens to sandboxes and containers, told to whoever listens: events from changes of records."""

from podwright.runtime.events.event import Event, EventKind
from podwright.runtime.events.hub import EventHub, Subscription

__all__ = ["Event", "EventHub", "EventKind", "Subscription"]
