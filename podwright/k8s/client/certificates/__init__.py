"""Certificates by CertificateSigningRequests: a node's first one (TLS bootstrap), and new ones before the old end.

`schedule` says when, `x509` reads a certificate, `keys` makes keys and requests in a child process (`request_child`),
`signing` submits and waits, `files` keeps them as a kubelet does. `rotation` and `bootstrap` put these together, and
`credentials` uses them. Clients need no notice: their kubeconfig names the files, and `kubeconfig.user` notices that
they have changed.
"""
