"""An API server of the tests' own, since no kube-apiserver can be installed here: a real program with real semantics.

Tests start `server.ApiServer` in their process; agents and kubectl reach it by TCP and TLS like any other.
`python -m tests.harness.apiserver` is the same for people. From the bottom up:

    documents     objects as JSON documents: fields by path, filters; `label_selectors` reads a selector's text
    resources     which kinds there are, with their paths, subresources and typed shapes
    store         versions, history, compaction, watches' events: a small etcd with its watch cache
    merging/      strategic merge, JSON merge and JSON patches
    lifecycle/    what creating, changing and deleting mean: defaults, status apart, generation, finalizers, grace
    people        certificates, tokens, users
    subresources  tokens, bindings, evictions, reviews, certificate requests
    http/         paths to calls, lists, watches, discovery
    faults        what goes wrong on purpose: hangs, 429, 500, garbage, cut, doubled and disordered streams

What it does not do: admission plug-ins and RBAC (a test says who may do what), server-side apply's ownership (an apply
merges), quota, aggregated APIs, and protobuf, which kubectl speaks for `certificate approve` and `create token`.
Objects get the defaults of the project's types; other kinds there are none. Beside the project, its strategic merges
were compared with those of a kube-apiserver 1.36.
"""
