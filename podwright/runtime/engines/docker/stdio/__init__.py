"""The stdio of processes in the Engine's containers: exec and attach over hijacked connections.

`execs` starts processes, `attaching` is for the first process, `outputs` has the outputs of one connection.
"""
