"""The images of this node: pulling, finding, holding and removing them. See `service`."""
