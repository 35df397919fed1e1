"""What the agent answers: to people on its own socket, to probes of its health, to whoever may ask on its ports."""
