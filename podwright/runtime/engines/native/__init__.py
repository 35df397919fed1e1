"""The engine that runs pods on this host: its services, and how `engine` connects them."""
