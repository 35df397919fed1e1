"""An engine whose pods are containers of a Docker Engine on this host: CRI translated to its API."""
