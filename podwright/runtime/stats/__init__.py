"""Resource usage of pods and containers: CPU, memory, swap, pressure, processes, network and disk, and its metrics.

It reads the records of the container, sandbox and image services and the kernel's files, and changes nothing. The
gRPC edge calls it. Nothing runs here without a request.
"""
