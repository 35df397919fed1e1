"""What the agent counts and times, under the kubelet's names, and Prometheus' text of it.

prometheus_client would do the same for a tenth of the agent's start-up time and 4.6 MiB: it brings HTTP servers along.
"""
