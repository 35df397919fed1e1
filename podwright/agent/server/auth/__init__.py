"""Who asks, and whether they may: certificates, tokens, reviews by the API server."""
