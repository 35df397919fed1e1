"""Authentication and authorization of requests: by certificates, tokens, and reviews of the API server.

`guard` is called before every handler. `authentication` finds the user, `attributes` the access that the request
needs, and `authorization` decides. Both use `reviews` (`api_reviews`), whose answers a `cache` keeps. `certificates`,
`ciphers` and `self_signed` are for the server's TLS.
"""
