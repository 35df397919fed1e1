"""Measures container runtimes from the outside: how fast pods start and end, what they cost, and how that grows.

    `targets`   what is measured: a CRI endpoint, or Docker by its Engine API, doing the same work
    `agents`    node agents: programs that make pods from manifests on a target, as a kubelet does
    `suites`    what is done to a target, one module each, with results in the `Sheet` of a `recorder`
    `run`       every suite on every target in turn, round after round, with nothing left behind
    `settling`  waits for an idle machine in between
    `stats`     samples to percentiles and intervals (pure)
    `results`   the report as data, whose JSON is the format to keep, with the `options` of the run
    `render`    the report for people: table, Markdown, SVG, one HTML page

`timing` measures time, `processes` memory and CPU time, `machine` has facts for the report. The command line calls
`run.run_bench`. This room knows CRI, Docker's API and /proc, but not our own runtime.
"""
