"""The agent's servers: its own socket for people, /healthz, and the kubelet's API on its ports."""
