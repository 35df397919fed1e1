"""What the agent is configured with: the kubelet's flags, KubeletConfiguration and its drop-ins, as one AgentConfig.

`loading.load` takes a command line and gives the frozen `AgentConfig` that the rest of the agent reads. Flags and
files are read in this package alone.
"""
