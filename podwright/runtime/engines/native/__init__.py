"""The engine that runs pods on this host by itself: its services, and how they are tied together (`engine`)."""
