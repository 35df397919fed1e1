"""Who sends a request, and whether they may: certificates, tokens, reviews by the API server.

`guard` stands before every handler: `authentication` finds the user, `attributes` what the request needs, and
`authorization` decides, both by `reviews` (`api_reviews`, kept in a `cache`). `certificates`, `ciphers` and
`self_signed` are the server's TLS.
"""
