"""What pods and containers use: CPU, memory, swap, pressure, processes, network and disk, and the metrics of it all.

Reads the container, sandbox and image services' records and the kernel's files; changes nothing. Called by the gRPC
edge alone. Nothing runs here while nobody asks.
"""
