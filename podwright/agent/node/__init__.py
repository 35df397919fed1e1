"""The node: what this machine is and has, and the Node object that shows it to the API."""
