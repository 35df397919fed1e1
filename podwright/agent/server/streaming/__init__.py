"""Connections that were upgraded, between a client and the runtime's streaming server."""
