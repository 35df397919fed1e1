"""What any CRI server must do, asked as a client asks: through its socket and nothing else.

    cases/      the cases, as pytest modules; each needs a server (`cri_server`) and an image with busybox (`image`)
    peer.py     the server under test, as the cases see it
    pods.py     pods for cases: made through CRI alone, removed whatever happens
    plugin.py   the two fixtures for `podwright conformance`: the server is one that runs already
    quiet_gc.py what keeps a failure on CPython 3.11 from ending the run
    run.py      what that command does

This repository's own tests run the same cases, on servers that they start themselves. Nothing here imports the
runtime or the agent. pytest comes with the extra `podwright[conformance]`.
"""
