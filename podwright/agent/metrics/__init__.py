"""The agent's counters and times under the kubelet's names, and Prometheus' text of them.

`kubelet` has all metrics. There is one module for each group of them. `instruments` are the counters, gauges and
histograms, `prometheus` is the format.

prometheus_client would do the same for a tenth of the agent's start-up time and 4.6 MiB: it brings HTTP servers along.
"""
