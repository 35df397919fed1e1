"""The API server's endpoint and our credentials, from a kubeconfig file.

`model` is the file's form, `files` reads it, `connection` makes of its current context what the client needs, `user`
and `exec_plugin` are the credentials, which are renewed while the client runs.
"""
