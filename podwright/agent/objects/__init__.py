"""ConfigMaps and Secrets that pods use, from the documents of a file or from the API."""
