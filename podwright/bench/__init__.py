"""Measuring container runtimes from the outside: how fast pods start and end, what they cost, how that grows.

    targets   what is measured: a CRI endpoint, or Docker by its Engine API, doing the same work
    agents    node agents: programs that make pods of manifests on a target, as a kubelet does
    suites    what is done to a target, one module each; what comes out goes to a `Sheet`
    run       every suite on every target in turn, round after round, and nothing left behind
    settling  waiting for an idle machine in between
    stats     samples to percentiles and intervals (pure)
    results   the report as data; its JSON is the format to keep
    render    the report for people: table, Markdown, SVG, one HTML page

The command line calls `run.run_bench`. Knows CRI, Docker's API and /proc, nothing of our own runtime.
"""
