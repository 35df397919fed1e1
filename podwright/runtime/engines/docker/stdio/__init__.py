"""The stdio of processes in the Engine's containers: exec and attach over hijacked connections."""
