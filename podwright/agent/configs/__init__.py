"""From pods of the API to messages of CRI, as the kubelet builds them. Pure but for `builder` and `files`."""
