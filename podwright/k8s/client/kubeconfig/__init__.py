"""The API server's endpoint and our credentials, from kubeconfig files or from inside a pod.

`model` is the file's form, `files` reads and merges, `connection` makes of a context what the client needs, `user` and
`exec_plugin` are the credentials, which are renewed while the client runs.
"""
