"""What the agent is configured with: the kubelet's flags, KubeletConfiguration and its drop-ins, as one AgentConfig.

`loading` takes a command line and gives the frozen `AgentConfig` (`agent_config`, with its parts in
`node_sections`, `pod_sections` and `machine_sections`). No other room reads flags or files.

`settings` is the table of all settings, a `setting` each, of some value `kinds`. `command_line` and `flag_syntax` read
flags, `files` and `document` a file, `values` and `reading` what is in it, `merge` a drop-in, `defaults` what is
missing. `validation`, `validation_eviction`, `validation_images`, `validation_managers` and `validation_node` say what
a kubelet refuses, with the kubelet's messages (`refusals`). `gates` and `known_gates` are the feature gates,
`thresholds` those of eviction, `go_duration` Go's durations. `structure` makes the AgentConfig.
"""
