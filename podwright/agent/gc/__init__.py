"""Removing what is not needed any more: dead containers with their sandboxes and logs, and unused images."""
